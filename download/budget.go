package download

import (
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

const (
	// bufferSize is what one connection holds in memory. Smaller reads cost CPU, larger
	// ones bring nothing.
	bufferSize = 256 << 10
	minBuffer  = 4 << 10

	defaultConnections = 32
)

// A Budget is what downloads may use together: connections, the memory they need, bandwidth,
// and the free space of disks. Managers that point to the same Budget share it. The zero
// value is ready to use, and is safe for concurrent use once its fields are set.
type Budget struct {
	// Connections bounds the ranges in flight; 0 means 32. Each has a buffer of at most 256 KiB,
	// and some drivers another. A download begins with 8 and takes more as long as that makes it
	// faster.
	Connections int
	// BytesPerSecond bounds what arrives; 0 means no limit.
	BytesPerSecond int64

	once    sync.Once
	buffers chan []byte // a buffer is the permit for one connection; nil until first used
	limiter *rate.Limiter
	runs    atomic.Int32 // that have a share
	waiting atomic.Int32 // for a buffer

	mu     sync.Mutex
	gates  map[string]*gate // by origin
	claims map[*claim]struct{}
	inside map[string]bool // directories without locks that somebody writes to
	_      struct{}        // no unkeyed literals
}

func (b *Budget) init() {
	b.once.Do(func() {
		b.buffers = make(chan []byte, b.connections())
		for range cap(b.buffers) {
			b.buffers <- nil
		}
		if b.BytesPerSecond > 0 {
			b.limiter = rate.NewLimiter(rate.Limit(b.BytesPerSecond), int(max(bufferSize, b.BytesPerSecond/4)))
		}
		b.gates, b.claims, b.inside = map[string]*gate{}, map[*claim]struct{}{}, map[string]bool{}
	})
}

func (b *Budget) connections() int {
	if b.Connections > 0 {
		return b.Connections
	}
	return defaultConnections
}

// due returns how long to wait until n more bytes fit the limit.
func (b *Budget) due(n int) time.Duration {
	if b.limiter == nil {
		return 0
	}
	return b.limiter.ReserveN(time.Now(), n).Delay()
}

// enter reports whether dir, which has no locks, is the caller's until leave.
func (b *Budget) enter(dir string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	was := b.inside[dir]
	b.inside[dir] = true
	return !was
}

func (b *Budget) leave(dir string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.inside, dir)
}

// gate returns the gate that all requests to an origin pass.
func (b *Budget) gate(origin string) *gate {
	b.mu.Lock()
	defer b.mu.Unlock()
	g := b.gates[origin]
	if g == nil {
		g = new(gate)
		b.gates[origin] = g
	}
	return g
}
