package lifecycle

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"sync"
	"time"
)

// A Log is an append-only list of events that any number of readers replay from the start
// and then follow. A slow reader delays nobody. All methods are safe for concurrent use.
//
// It is bounded, so that a deployment may live for months: beyond 20,000 events it forgets,
// oldest first, the progress of stages that have ended, and then replicas that have ended,
// each as a whole. Who replays later, or is that far behind, does not see those; gaps in Seq
// tell where they were. Replicas that live, and the last thousand events, are never forgotten.
type Log struct {
	mu      sync.Mutex
	last    uint64        // Seq of the last event
	events  []Event       // by Seq
	limit   int           // of events, to forget at
	changed chan struct{} // closed and replaced at each change
	closed  bool
}

// NewLog returns an empty, open log.
func NewLog() *Log { return &Log{changed: make(chan struct{}), limit: maxEvents} }

// Append adds e, numbering it and stamping the time when it has none. Events appended
// after Close are dropped.
func (l *Log) Append(e Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	l.last++
	e.Seq = l.last
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	l.events = append(l.events, e)
	if len(l.events) > l.limit {
		l.events = forget(l.events)
		l.limit = max(maxEvents, 2*len(l.events)) // what cannot be forgotten is not looked at each time
	}
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

// All replays every event that is not forgotten and then follows until ctx ends or the log is closed.
func (l *Log) All(ctx context.Context) iter.Seq[Event] {
	return func(yield func(Event) bool) {
		for seen := uint64(0); ; {
			batch, changed, closed := l.after(seen)
			for _, e := range batch {
				if ctx.Err() != nil || !yield(e) {
					return
				}
				seen = e.Seq
			}
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

// Snapshot returns the events so far that are not forgotten.
func (l *Log) Snapshot() []Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.events)
}

// after returns the events with a Seq above seq. The slice stays as it is: forgetting makes
// a new one.
func (l *Log) after(seq uint64) (batch []Event, changed <-chan struct{}, closed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, _ := slices.BinarySearchFunc(l.events, seq+1, func(e Event, seq uint64) int { return cmp.Compare(e.Seq, seq) })
	return l.events[n:len(l.events):len(l.events)], l.changed, l.closed
}

func (l *Log) wake() {
	close(l.changed)
	l.changed = make(chan struct{})
}
