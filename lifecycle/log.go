package lifecycle

import (
	"context"
	"iter"
	"slices"
	"sync"
	"time"
)

// A Log is an append-only list of events that any number of readers replay from the start
// and then follow. A slow reader delays nobody. All methods are safe for concurrent use.
type Log struct {
	mu      sync.Mutex
	events  []Event
	changed chan struct{} // closed and replaced at each change
	closed  bool
}

// NewLog returns an empty, open log.
func NewLog() *Log { return &Log{changed: make(chan struct{})} }

// Append adds e, numbering it and stamping the time when it has none. Events appended
// after Close are dropped.
func (l *Log) Append(e Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	e.Seq = uint64(len(l.events)) + 1
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	l.events = append(l.events, e)
	l.wake()
}

// Close ends the log: readers stop after the last event. It may be called again.
func (l *Log) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.closed = true
		l.wake()
	}
}

// All replays every event and then follows until ctx ends or the log is closed.
func (l *Log) All(ctx context.Context) iter.Seq[Event] {
	return func(yield func(Event) bool) {
		for next := 0; ; {
			batch, changed, closed := l.after(next)
			for _, e := range batch {
				if ctx.Err() != nil || !yield(e) {
					return
				}
			}
			next += len(batch)
			if closed {
				return
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	}
}

// Snapshot returns the events so far.
func (l *Log) Snapshot() []Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.events)
}

func (l *Log) after(n int) (batch []Event, changed <-chan struct{}, closed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.events[n:len(l.events):len(l.events)], l.changed, l.closed
}

func (l *Log) wake() {
	close(l.changed)
	l.changed = make(chan struct{})
}
