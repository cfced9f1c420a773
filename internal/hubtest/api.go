package hubtest

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

func (h *Hub) search(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	h.mu.Lock()
	defer h.mu.Unlock()
	found := []map[string]string{}
	for _, id := range slices.Sorted(maps.Keys(h.repos)) {
		owner, _, _ := strings.Cut(id, "/")
		if author := q.Get("author"); author != "" && owner != author || h.repos[id].access.Private {
			continue
		}
		if strings.Contains(strings.ToLower(id), strings.ToLower(q.Get("search"))) {
			found = append(found, map[string]string{"id": id, "modelId": id})
		}
	}
	reply(w, found)
}

func (h *Hub) revision(w http.ResponseWriter, repo *repo, id, rev string) {
	h.mu.Lock()
	sha := repo.find(rev)
	h.mu.Unlock()
	if sha == "" {
		noRevision(w, rev)
		return
	}
	reply(w, map[string]any{"id": id, "modelId": id, "sha": sha, "private": repo.access.Private})
}

func noRevision(w http.ResponseWriter, rev string) {
	fail(w, http.StatusNotFound, "RevisionNotFound", "Invalid rev id: "+rev)
}

func (h *Hub) refs(w http.ResponseWriter, repo *repo) {
	type ref struct {
		Name         string `json:"name"`
		Ref          string `json:"ref"`
		TargetCommit string `json:"targetCommit"`
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	branches := []ref{}
	for _, name := range slices.Sorted(maps.Keys(repo.refs)) {
		if !strings.HasPrefix(name, "refs/") {
			branches = append(branches, ref{name, "refs/heads/" + name, repo.refs[name]})
		}
	}
	reply(w, map[string]any{"branches": branches, "tags": []ref{}, "converts": []ref{}})
}

// tree lists all files, a page at a time.
func (h *Hub) tree(w http.ResponseWriter, r *http.Request, repo *repo, rev string) {
	h.mu.Lock()
	files, sha := repo.commits[repo.find(rev)], repo.find(rev)
	h.mu.Unlock()
	if sha == "" {
		noRevision(w, rev)
		return
	}
	size := h.PageSize
	if size == 0 {
		size = 1000
	}
	q := r.URL.Query()
	start, _ := strconv.Atoi(q.Get("cursor")) // none is the first
	page := entries(files)
	page = page[min(start, len(page)):]
	if len(page) > size {
		page = page[:size]
		q.Set("cursor", strconv.Itoa(start+size))
		next := url.URL{Scheme: "http", Host: r.Host, Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: q.Encode()}
		w.Header().Set("Link", fmt.Sprintf(`<%s>; rel="next"`, next.String()))
	}
	reply(w, page)
}

// entries are the files and folders as the tree lists them.
func entries(files map[string]file) []map[string]any {
	folders := map[string]bool{}
	out := []map[string]any{}
	for _, path := range slices.Sorted(maps.Keys(files)) {
		for i, c := range path {
			if dir := path[:i]; c == '/' && !folders[dir] {
				folders[dir] = true
				out = append(out, map[string]any{"type": "directory", "oid": blobID([]byte(dir)), "size": 0, "path": dir})
			}
		}
		f := files[path]
		e := map[string]any{"type": "file", "oid": f.oid, "size": len(f.data), "path": path}
		if f.sha256 != "" {
			e["lfs"] = map[string]any{"oid": f.sha256, "size": len(f.data), "pointerSize": 134}
			e["xetHash"] = f.xet()
		}
		out = append(out, e)
	}
	return out
}
