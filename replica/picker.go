package replica

import (
	"cmp"
	"hash/maphash"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync/atomic"
)

// A Pick is a request as far as routing may look at it.
type Pick struct {
	Header http.Header // read only; nil means none
	Body   []byte      // its beginning, at most 64 KiB; read only
	// Adapter is the one that it names, or "". The replicas to choose from have it already,
	// or room for it, unless all that do have many more requests than others.
	Adapter string
}

// A Picker chooses among replicas, at least one, that may take the request; it returns an
// index. It is called under the set's lock, so it must be quick and must not call the set.
type Picker func(p Pick, from []Replica) int

// LeastOfTwo is the default: the one with fewer requests of two that chance names. Unlike
// the least of all it does not send a burst to one replica, and it looks at two only.
func LeastOfTwo(_ Pick, from []Replica) int {
	n := len(from)
	if n == 1 {
		return 0
	}
	a := rand.IntN(n)                 //nolint:gosec // chance, no secret
	b := (a + 1 + rand.IntN(n-1)) % n //nolint:gosec // chance, no secret
	if from[b].Inflight < from[a].Inflight {
		return b
	}
	return a
}

// RoundRobin returns a picker that takes one replica after another.
func RoundRobin() Picker {
	var turn atomic.Uint64
	return func(_ Pick, from []Replica) int {
		return int((turn.Add(1) - 1) % uint64(len(from))) //nolint:gosec // below len(from)
	}
}

// SessionAffinity returns a picker that sends requests with equal values of header to the
// same replica while it is there; when replicas come or go, only sessions of those move.
// Requests without the header go where other chooses; nil means LeastOfTwo.
func SessionAffinity(header string, other Picker) Picker {
	if other == nil {
		other = LeastOfTwo
	}
	seed := maphash.MakeSeed()
	return func(p Pick, from []Replica) int {
		session := p.Header.Get(header)
		if session == "" {
			return other(p, from)
		}
		weight := func(r Replica) uint64 {
			var h maphash.Hash
			h.SetSeed(seed)
			_, _ = h.WriteString(r.ID)
			_ = h.WriteByte(0)
			_, _ = h.WriteString(session)
			return h.Sum64()
		}
		best := slices.MaxFunc(from, func(a, b Replica) int { return cmp.Compare(weight(a), weight(b)) })
		return slices.IndexFunc(from, func(r Replica) bool { return r.ID == best.ID })
	}
}
