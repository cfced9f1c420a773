package gcs

import (
	"net/http"
	"time"

	"github.com/spinup-llm/spinup/source"
)

// CheckAnswer says what is wrong with an answer to the request for a range of f.
func CheckAnswer(length int64, contentRange, coding string, f source.File, off, n int64) error {
	if length < 0 {
		length = unknown
	}
	return answers(http.Header{"Content-Range": {contentRange}, "Content-Encoding": {coding}}, f, off, n, length)
}

// Pause is what Retry-After asks for.
func Pause(value string, now time.Time) time.Duration {
	return retryAfter(http.Header{"Retry-After": {value}}, now)
}
