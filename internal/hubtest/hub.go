package hubtest

import (
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/spinup-llm/spinup/lifecycle"
)

const (
	// Token may read every repository.
	Token = "hf_hubtestReaderOfAll" //nolint:gosec // it opens nothing but tests
	// Stranger is a token of somebody who may read what is public, and no more.
	Stranger = "hf_hubtestStranger"
)

// A Hub serves repositories. Its methods are safe for concurrent use; set its fields before
// the first request.
type Hub struct {
	URL string // the origin of the hub
	CDN string // the origin of large files: the same host, another port
	// PageSize is how many entries a page of a tree has; 0 means 1000.
	PageSize int
	// LinkLife is how long a link of the CDN is valid, which Expire may cut short; 0 means an hour.
	LinkLife time.Duration

	home     string
	mu       sync.Mutex
	repos    map[string]*repo
	renamed  map[string]string
	large    map[string][]byte // what the CDN has, by sha256
	expired  int               // times that all links did
	faults   []*Fault
	requests []Request
}

// New starts a Hub that ends with the test.
func New(tb testing.TB) *Hub {
	tb.Helper()
	h := &Hub{home: tb.TempDir(), repos: map[string]*repo{}, renamed: map[string]string{}, large: map[string][]byte{}}
	hub, cdn := httptest.NewServer(h.front(false, h.serveHub)), httptest.NewUnstartedServer(h.front(true, h.serveCDN))
	cdn.Config.ConnState = func(c net.Conn, s http.ConnState) {
		if s == http.StateNew { // so that what was sent has nearly arrived
			_ = c.(*net.TCPConn).SetWriteBuffer(64 << 10)
		}
	}
	cdn.Start()
	tb.Cleanup(hub.Close)
	tb.Cleanup(cdn.Close)
	h.URL, h.CDN = hub.URL, cdn.URL
	return h
}

// Env makes a client use this hub, without a token and with an empty folder of its own.
func (h *Hub) Env() lifecycle.EnvVars {
	return lifecycle.EnvVars{"HF_ENDPOINT": h.URL, "HF_HOME": h.home}
}

// Put commits a file to the branch main, creating the repository, and returns the commit.
func (h *Hub) Put(id, path string, data []byte) string {
	return h.commit(id, func(files map[string]file) { files[path] = newFile(path, data) })
}

// Delete commits the removal of a file.
func (h *Hub) Delete(id, path string) string {
	return h.commit(id, func(files map[string]file) { delete(files, path) })
}

func (h *Hub) commit(id string, change func(map[string]file)) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.repos[id]
	if r == nil {
		r = newRepo()
		h.repos[id] = r
	}
	sha := r.commit(change)
	for _, f := range r.commits[sha] {
		if f.sha256 != "" {
			h.large[f.sha256] = f.data
		}
	}
	return sha
}

// Branch makes another ref of what main is now: "v1", "refs/pr/1".
func (h *Hub) Branch(id, ref string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.repos[id].refs[ref] = h.repos[id].refs[mainRef]
}

// Squash forgets the commits of a repository that no ref names.
func (h *Hub) Squash(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.repos[id].squash()
}

// Rename gives a repository another id; the old one redirects there.
func (h *Hub) Rename(from, to string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.repos[to], h.renamed[from] = h.repos[from], to
	delete(h.repos, from)
}

// Expire ends the validity of all links there are.
func (h *Hub) Expire() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.expired++
}

// Restrict says who may read a repository.
func (h *Hub) Restrict(id string, a Access) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.repos[id].access = a
}
