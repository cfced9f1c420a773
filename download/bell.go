package download

import (
	"sync"
	"sync/atomic"
)

// A bell wakes those who wait for a change. While nobody waits, to ring it costs nothing.
// The zero value is ready to use.
type bell struct {
	waiting atomic.Int32
	mu      sync.Mutex
	rung    chan struct{}
}

// listen has to come before next, until stop.
func (b *bell) listen() (stop func()) {
	b.waiting.Add(1)
	return func() { b.waiting.Add(-1) }
}

// next returns what is closed at the next ring. To miss nothing, look for the change after it.
func (b *bell) next() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rung == nil {
		b.rung = make(chan struct{})
	}
	return b.rung
}

// ring is called after the change.
func (b *bell) ring() {
	if b.waiting.Load() == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rung != nil {
		close(b.rung)
		b.rung = nil
	}
}
