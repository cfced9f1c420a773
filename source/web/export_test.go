package web

import (
	"net/http"
	"net/url"

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
