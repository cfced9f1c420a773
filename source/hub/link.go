package hub

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

var (
	linkTarget = regexp.MustCompile(`^[\s,]*<([^<>]*)>`)
	linkParam  = regexp.MustCompile(`^\s*;\s*([\w*-]+)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*)))?`)
)

// nextPage returns what the Link header says the next page is, relative to from; nil when
// there is none.
func nextPage(h http.Header, from *url.URL) *url.URL {
	rest := strings.Join(h.Values("Link"), ",")
	for {
		m := linkTarget.FindStringSubmatch(rest)
		if m == nil {
			return nil
		}
		rest = rest[len(m[0]):]
		next := false
		for p := linkParam.FindStringSubmatch(rest); p != nil; p = linkParam.FindStringSubmatch(rest) {
			if strings.EqualFold(p[1], "rel") {
				next = next || slices.Contains(strings.Fields(strings.ToLower(p[2]+p[3])), "next")
			}
			rest = rest[len(p[0]):]
		}
		if next {
			if u, err := from.Parse(m[1]); err == nil && isWeb(u) && u.User == nil {
				return u
			}
			return nil
		}
	}
}
