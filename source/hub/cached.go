package hub

import (
	"path/filepath"
	"strings"

	"github.com/spinup-llm/spinup/source"
)

// HubCache implements source.HubCached.
func (r *repo) HubCache(revision string) source.HubCache {
	c := source.HubCache{Dir: r.dir(), Ref: r.loc.revision, NoLinks: r.set.noLinks}
	if r.loc.pinned() {
		c.Ref = ""
	}
	r.mu.Lock()
	all := r.listings[revision]
	r.mu.Unlock()
	if all == nil {
		return c
	}
	if data, err := all.kept(); err == nil {
		c.Listing, c.Absent = data, all.absent()
	}
	for _, e := range all {
		c.Files = append(c.Files, e.Path)
	}
	return c
}

// dir is the folder of the model in the cache, or "".
func (r *repo) dir() string {
	if r.set.cache == "" {
		return ""
	}
	return filepath.Join(r.set.cache, "models--"+strings.ReplaceAll(r.loc.id, "/", "--"))
}
