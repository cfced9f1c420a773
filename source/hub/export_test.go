package hub

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spinup-llm/spinup/source"
)

// Match reports whether path matches the pattern.
func Match(pattern, path string) bool { return newPatterns([]string{pattern}).match(path) }

// NextPage is what a Link header says.
func NextPage(link string, from *url.URL) *url.URL {
	return nextPage(http.Header{"Link": {link}}, from)
}

// Pause is what the headers ask for.
func Pause(rateLimit, retryAfter string, now time.Time) time.Duration {
	return pause(http.Header{"Ratelimit": {rateLimit}, "Retry-After": {retryAfter}}, now)
}

// ParseTree reads a page of a tree.
func ParseTree(data []byte) ([]source.File, error) {
	l, err := parseTree(data)
	return l.files(), err
}

// ParseIndex reads an index of shards.
func ParseIndex(data []byte) ([]string, error) { return parseIndex(data) }

// ParseRevision reads the answer about a revision.
func ParseRevision(data []byte) (id, sha string, err error) {
	return location{id: "org/name"}.parseRevision(data)
}

// ParseKept reads the listing that the tools of the hub keep.
func ParseKept(data []byte) ([]source.File, error) {
	l, err := parseKept(data)
	return l.files(), err
}

// ParseRefs reads the names of branches and tags.
func ParseRefs(data []byte) []string { return parseRefs(data) }

// ParseModels reads the names of models.
func ParseModels(data []byte) []string { return parseModels(data) }

// IsRepoID reports whether the hub could have a model of that name.
func IsRepoID(id string) bool { return isRepoID(id) }

// CheckAnswer says what is wrong with an answer to the request for a range of f.
func CheckAnswer(status int, length int64, contentRange, coding string, f source.File, off, n int64) error {
	h := http.Header{"Content-Range": {contentRange}, "Content-Encoding": {coding}}
	a := &answer{cancel: func() {}, Response: &http.Response{StatusCode: status, ContentLength: length, Header: h, Body: http.NoBody}}
	_, err := a.read(f, off, n)
	return err
}

// Refusal is how an answer that is no success reads.
func Refusal(status int, code, message, body string) string {
	h := http.Header{"X-Error-Code": {code}, "X-Error-Message": {message}}
	return newRefusal(&http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body))}, true).Error()
}

// Target is where a redirect leads.
func Target(from *url.URL, location string) (*url.URL, error) {
	return target(from, &http.Response{Header: http.Header{"Location": {location}}, Body: http.NoBody})
}

// Noted is what the headers say about a file.
func Noted(etag, size string) (string, int64) {
	a := &answer{size: -1}
	a.note(&http.Response{Header: http.Header{"X-Linked-Etag": {etag}, "X-Linked-Size": {size}}})
	return a.etag, a.size
}
