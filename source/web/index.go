package web

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

var anchor = regexp.MustCompile(`(?is)<a\s(?:[^>]*?\s)?href\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>"']+))`)

func isHTML(h http.Header) bool {
	return strings.HasPrefix(strings.ToLower(strings.TrimSpace(h.Get("Content-Type"))), "text/html")
}

// An entry is a link to what lies directly in a folder.
type entry struct {
	name   string // decoded; it may be hostile
	folder bool
}

// links returns the entries of the folder whose page is at the address: the links that lead
// one step down from there, each once. All others (to the parent, to other sites, with a
// query, as columns to sort by have) are none.
func links(page string, at *url.URL) []entry {
	here := segments(at)
	var entries []entry
	seen := map[entry]bool{}
	for _, m := range anchor.FindAllStringSubmatch(page, -1) {
		u, err := at.Parse(strings.TrimSpace(html.UnescapeString(m[1] + m[2] + m[3])))
		if err != nil || !sameOrigin(u, at) || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
			continue
		}
		if e, ok := below(here, segments(u)); ok && !seen[e] {
			seen[e] = true
			entries = append(entries, e)
		}
	}
	return entries
}

// segments are the decoded parts of the path, so that an escaped slash stays in a name. A
// folder ends in an empty one.
func segments(u *url.URL) []string {
	parts := strings.Split(strings.TrimPrefix(u.EscapedPath(), "/"), "/")
	for i, p := range parts {
		if plain, err := url.PathUnescape(p); err == nil {
			parts[i] = plain
		}
	}
	return parts
}

// below returns the entry of a folder, whose segments end in an empty one, that leads to there.
func below(here, there []string) (entry, bool) {
	n := len(here) - 1
	if len(there) <= n || there[n] == "" {
		return entry{}, false
	}
	for i := range n {
		if here[i] != there[i] {
			return entry{}, false
		}
	}
	switch {
	case len(there) == n+1:
		return entry{name: there[n]}, true
	case len(there) == n+2 && there[n+1] == "":
		return entry{name: there[n], folder: true}, true
	default:
		return entry{}, false
	}
}
