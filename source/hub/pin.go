package hub

import (
	"context"
	"net/url"
	"strings"
	"sync/atomic"

	"github.com/spinup-llm/spinup/source"
)

// A pinKey is a file in one state.
type pinKey struct{ path, version string }

// A pin is what is known about a file: the commit that has it, and the link to its bytes.
type pin struct {
	id, commit string // guarded by the repo's mu

	link   atomic.Pointer[url.URL] // nil until the hub was asked
	direct atomic.Bool             // the hub sends the bytes itself
	turn   chan struct{}           // of the one who asks for the link
}

// pin notes which commit has the files of m, and what else it has.
func (r *repo) pin(id string, m *source.Manifest, all listing) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.listings[m.Revision] = all
	for _, f := range m.Files {
		p := r.pinLocked(f)
		p.id, p.commit = id, m.Revision
	}
}

// pinOf returns the pin of f and where it lies. A Source that has not resolved takes the
// revision of its URI.
func (r *repo) pinOf(f source.File) (p *pin, id, commit string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p = r.pinLocked(f)
	return p, p.id, p.commit
}

func (r *repo) pinLocked(f source.File) *pin {
	key := pinKey{f.Path, f.Version}
	p := r.pins[key]
	if p == nil {
		p = &pin{id: r.loc.id, commit: r.loc.revision, turn: make(chan struct{}, 1)}
		r.pins[key] = p
	}
	return p
}

// take waits for a turn to ask the hub; give ends it.
func take(ctx context.Context, turn chan struct{}) error {
	select {
	case turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func give(turn chan struct{}) { <-turn }

// fileAddress is where the hub answers for a file of a revision.
func (r *repo) fileAddress(id, revision, path string) (*url.URL, error) {
	parts := strings.Split(path, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return r.set.at(id+"/resolve/"+url.PathEscape(revision)+"/"+strings.Join(parts, "/"), "")
}
