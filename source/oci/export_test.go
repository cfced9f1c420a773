package oci

import (
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spinup-llm/spinup/source"
)

// CheckAnswer says what is wrong with an answer to the request for a range of f.
func CheckAnswer(status int, length int64, contentRange, coding string, f source.File, off, n int64) error {
	h := http.Header{"Content-Range": {contentRange}, "Content-Encoding": {coding}}
	return answers(&http.Response{StatusCode: status, ContentLength: length, Header: h}, f, off, n)
}

// Pause is what Retry-After asks for.
func Pause(value string, now time.Time) time.Duration {
	return retryAfter(http.Header{"Retry-After": {value}}, now)
}

// Refusal is how an answer that is no success reads.
func Refusal(status int, body string) string {
	return refusal(&http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(body))}).Error()
}
