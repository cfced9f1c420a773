package hubtest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

// serveHub dispatches on the escaped path: a revision may hold slashes.
func (h *Hub) serveHub(w http.ResponseWriter, r *http.Request) {
	path := r.URL.EscapedPath()
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		fail(w, http.StatusMethodNotAllowed, "", "Method not allowed")
		return
	}
	switch rest, api := strings.CutPrefix(path, "/api/models/"); {
	case path == "/api/models":
		h.search(w, r)
	case api:
		h.serveAPI(w, r, rest)
	case strings.HasPrefix(path, "/api/resolve-cache/models/"):
		id, rev, file := cut(strings.TrimPrefix(path, "/api/resolve-cache/models/"), "")
		h.resolve(w, r, request{id: id, rev: rev, file: file, cached: true})
	default:
		id, rev, file := cut(strings.TrimPrefix(path, "/"), "resolve")
		h.resolve(w, r, request{id: id, rev: rev, file: file})
	}
}

func (h *Hub) serveAPI(w http.ResponseWriter, r *http.Request, path string) {
	for _, verb := range []string{"revision", "tree", "refs"} {
		id, rev, _ := cut(path, verb)
		if id == "" {
			continue
		}
		repo, ok := h.open(w, r, id, false)
		switch {
		case !ok:
		case verb == "revision":
			h.revision(w, repo, id, rev)
		case verb == "tree":
			h.tree(w, r, repo, rev)
		default:
			h.refs(w, repo)
		}
		return
	}
	id, _, _ := cut(path, "")
	if repo, ok := h.open(w, r, id, false); ok {
		h.revision(w, repo, id, mainRef)
	}
}

// A request is for one file.
type request struct {
	id, rev, file string
	cached        bool // it is the second one, at the address of the commit
}

// cut splits "owner/name/verb/rev/rest", or the same without an owner, or without a verb.
// id is "" where the verb is another one.
func cut(escaped, verb string) (id, rev, rest string) {
	parts := strings.Split(escaped, "/")
	for i := range parts {
		parts[i], _ = url.PathUnescape(parts[i]) // the server has checked it
	}
	n := 2
	if verb != "" {
		for n = 1; n < 3 && (n >= len(parts) || parts[n] != verb); n++ { //nolint:revive // it only counts
		}
		if n == 3 {
			return "", "", ""
		}
		parts = append(parts[:n:n], parts[n+1:]...)
	}
	if parts[0] == "_" {
		parts[0] = ""
	}
	id = strings.TrimPrefix(strings.Join(parts[:min(n, len(parts))], "/"), "/")
	if len(parts) > n {
		rev, rest = parts[n], strings.Join(parts[n+1:], "/")
	}
	return id, rev, rest
}

// open returns the repository, if whoever asks may see it; else it has answered.
func (h *Hub) open(w http.ResponseWriter, r *http.Request, id string, bytes bool) (*repo, bool) {
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if token != "" && token != Token && token != Stranger {
		fail(w, http.StatusUnauthorized, "", "Invalid credentials in Authorization header")
		return nil, false
	}
	h.mu.Lock()
	repo, to := h.repos[id], h.renamed[id]
	h.mu.Unlock()
	absent, gated := http.StatusNotFound, http.StatusForbidden
	if token == "" {
		absent, gated = http.StatusUnauthorized, http.StatusUnauthorized
	}
	switch {
	case to != "":
		w.Header().Set("Location", strings.Replace(r.URL.RequestURI(), "/"+id, "/"+to, 1))
		w.WriteHeader(http.StatusTemporaryRedirect)
	case repo == nil || repo.access.Private && token != Token:
		fail(w, absent, "RepoNotFound", "Repository not found")
	case repo.access.Disabled:
		fail(w, http.StatusForbidden, "", "Access to this resource is disabled.")
	case bytes && repo.access.Gated && token != Token:
		fail(w, gated, "GatedRepo", "Access to model "+id+" is restricted. You must have access to it and be authenticated to access it.")
	default:
		return repo, true
	}
	return nil, false
}

func fail(w http.ResponseWriter, status int, code, message string) {
	if code != "" {
		w.Header().Set("X-Error-Code", code)
	}
	w.Header().Set("X-Error-Message", message)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": message}) // a client that went away is no concern of ours
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_ = json.NewEncoder(w).Encode(v) // see fail
}
