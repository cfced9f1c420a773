package hub

import (
	"net/http"
	"net/url"
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

// IsRepoID reports whether the hub could have a model of that name.
func IsRepoID(id string) bool { return isRepoID(id) }
