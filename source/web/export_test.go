package web

import (
	"net/http"
	"net/url"
	"time"

	"github.com/spinup-llm/spinup/source"
)

// Links returns the names that a page links to; folders end in a slash.
func Links(page string, at *url.URL) (names []string) {
	for _, e := range links(page, at) {
		if e.folder {
			e.name += "/"
		}
		names = append(names, e.name)
	}
	return names
}

// ParseSums is what reads SHA256SUMS.
func ParseSums(text string) (map[string]source.Digest, error) { return parseSums(text) }

// ContentRange is what reads the header.
func ContentRange(value string) (first, last, size int64) {
	return contentRange(http.Header{"Content-Range": {value}})
}

// CheckAnswer says what is wrong with an answer to the request for a range of f.
func CheckAnswer(status int, length int64, contentRange, coding string, f source.File, off, n int64) error {
	h := http.Header{"Content-Range": {contentRange}, "Content-Encoding": {coding}}
	return answers(&http.Response{StatusCode: status, ContentLength: length, Header: h}, f, off, n)
}

// Pause is what Retry-After asks for.
func Pause(value string, now time.Time) time.Duration {
	return retryAfter(http.Header{"Retry-After": {value}}, now)
}
