package replica

import (
	"cmp"
	"context"
	"slices"
)

// Adapters are what requests may name beside a set's model, as "MODEL:ADAPTER". The set's
// instances have to be AdapterLoaders.
type Adapters struct {
	// Find returns nil when there is an adapter of this name, which may be any text, and an
	// error of kind NotFound when there is none.
	Find func(ctx context.Context, name string) error
	// Bring makes the files of an adapter ready to be loaded. It is called before a request
	// gets a replica, unless one has the adapter already.
	Bring func(ctx context.Context, name string) error
	// Max is how many a replica holds at the same time; for one more it unloads the one that
	// was not used for longest. 0 means 16.
	Max int
	_   struct{}
}

// An AdapterLoader is an Instance whose engine serves adapters beside its model. Optional.
type AdapterLoader interface {
	Instance
	// LoadAdapter has the engine serve an adapter under the model's id, a colon, and name. An
	// error of kind EngineFailed is about the engine, any other about the adapter.
	LoadAdapter(ctx context.Context, name string) error
	// UnloadAdapter is called when no request uses the adapter.
	UnloadAdapter(ctx context.Context, name string) error
}

func (a *Adapters) max() int { return cmp.Or(a.Max, 16) }

// An adapter is one at a member. Its fields belong to the set's lock.
type adapter struct {
	name    string
	instead *adapter      // to be unloaded first; nil where there is room
	done    chan struct{} // closed when it is loaded, or known not to be
	err     error         // why not; may be read without the lock after that
	users   int           // requests
	used    int           // the count of uses at its last one: the least was not used for longest
	leaving bool          // it makes room for another
}

// An adapterError is why a request cannot have its adapter: no replica is to blame.
type adapterError struct{ err error }

func (e *adapterError) Error() string { return "adapter: " + e.err.Error() }
func (e *adapterError) Unwrap() error { return e.err }

// A fit is how well a member suits a request that names an adapter: the less the better.
type fit int

const (
	hasIt fit = iota
	hasRoom
	makesRoom // another one has to go
	isFull    // all that it holds are in use
)

func (m *member) fit(name string, most int) fit {
	a, known := m.adapters[name]
	_, able := m.instance.(AdapterLoader)
	switch {
	case !able, known && a.leaving:
		return isFull
	case known:
		return hasIt
	case m.held() < most:
		return hasRoom
	case m.idlest() != nil:
		return makesRoom
	default:
		return isFull
	}
}

// held is how many adapters m has, or will have in a moment.
func (m *member) held() (n int) {
	for _, a := range m.adapters {
		if !a.leaving {
			n++
		}
	}
	return n
}

// idlest is the loaded adapter that no request uses, and none has used for longest, or nil.
func (m *member) idlest() (idlest *adapter) {
	for _, a := range m.adapters {
		idle := a.users == 0 && !a.leaving && isClosed(a.done)
		if idle && (idlest == nil || a.used < idlest.used) {
			idlest = a
		}
	}
	return idlest
}

// take reserves an adapter at m, which fits, for a request. The first one has to load it.
func (s *Set) take(m *member, name string) (a *adapter, load bool) {
	s.uses++
	a, known := m.adapters[name]
	if !known {
		a = &adapter{name: name, done: make(chan struct{})}
		if m.held() >= s.current.opts.Adapters.max() {
			a.instead = m.idlest()
			a.instead.leaving = true
		}
		if m.adapters == nil {
			m.adapters = map[string]*adapter{}
		}
		m.adapters[name] = a
		m.loads++
	}
	a.users++
	a.used = s.uses
	return a, !known
}

// crowded is how many more requests than the least loaded replica one may have that has the
// adapter of a request: then another one gets it too.
const crowded = 8

// prefer leaves, of the candidates for a request that names an adapter, those that fit best.
// The caller holds the lock.
func (s *Set) prefer(name string) {
	if len(s.candidates) < 2 {
		return
	}
	most := s.current.opts.Adapters.max()
	least := slices.MinFunc(s.candidates, func(a, b *member) int { return a.Inflight - b.Inflight }).Inflight
	best := isFull
	for _, m := range s.candidates {
		if m.Inflight-least <= crowded {
			best = min(best, m.fit(name, most))
		}
	}
	kept := s.candidates[:0]
	s.shown = s.shown[:0]
	for _, m := range s.candidates {
		if m.Inflight-least <= crowded && m.fit(name, most) == best {
			kept, s.shown = append(kept, m), append(s.shown, m.Replica)
		}
	}
	s.candidates = kept
}
