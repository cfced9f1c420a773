package download

import "sync"

// A queue hands parts to workers until none is left and none can come back.
type queue struct {
	mu      sync.Mutex
	changed sync.Cond
	parts   []*part
	busy    int // parts handed out
	stopped bool
}

func newQueue(parts []*part) *queue {
	q := &queue{parts: parts}
	q.changed.L = &q.mu
	return q
}

// next returns a part, for which done must be called, or false when there is nothing more
// to do. It waits while the list is empty but a part at work may bring more.
func (q *queue) next() (*part, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.parts) == 0 && q.busy > 0 && !q.stopped {
		q.changed.Wait()
	}
	if len(q.parts) == 0 || q.stopped {
		return nil, false
	}
	p := q.parts[0]
	q.parts = q.parts[1:]
	q.busy++
	return p, true
}

// done ends the work on a part, which made more parts necessary.
func (q *queue) done(more []*part) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.busy--
	q.parts = append(q.parts, more...)
	q.changed.Broadcast()
}

// stop makes next return false to all.
func (q *queue) stop() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stopped = true
	q.changed.Broadcast()
}
