package replica

import "slices"

// A waiter is a request that no replica can take yet.
type waiter struct {
	pick   Pick
	caller string
	tried  []string
	got    chan grant // of one; the set sends once, under its lock
}

// A grant ends a wait: with what is reserved, or with the reason why there will be nothing.
type grant struct {
	hold
	err error
}

// A hold is what a request has: a place at a member, and the adapter that it names.
type hold struct {
	member  *member
	adapter *adapter // nil where it names none
	load    bool     // nobody loads it yet: the holder has to
}

// picky reports a waiter that not every free member can take.
func (w *waiter) picky() bool { return len(w.tried) > 0 || w.pick.Adapter != "" }

// A queue holds waiters, in order for each caller, and takes the callers in turn: one who
// sends a thousand requests delays another's single one by one. It belongs to the set's lock.
type queue struct {
	callers []string // those who wait, the next one first
	waiters map[string][]*waiter
	length  int
}

func (q *queue) push(w *waiter) {
	if q.waiters == nil {
		q.waiters = map[string][]*waiter{}
	}
	if len(q.waiters[w.caller]) == 0 {
		q.callers = append(q.callers, w.caller)
	}
	q.waiters[w.caller] = append(q.waiters[w.caller], w)
	q.length++
}

// remove reports whether w was waiting.
func (q *queue) remove(w *waiter) bool {
	line := q.waiters[w.caller]
	i := slices.Index(line, w)
	if i < 0 {
		return false
	}
	q.length--
	if len(line) > 1 {
		q.waiters[w.caller] = slices.Delete(line, i, i+1)
		return true
	}
	delete(q.waiters, w.caller)
	q.callers = slices.DeleteFunc(q.callers, func(c string) bool { return c == w.caller })
	return true
}

// serve offers the waiters to take, the callers in turn, and lets go of those that it
// takes. It stops when a whole round of callers got nothing.
func (q *queue) serve(take func(*waiter) bool) {
	for refused := 0; refused < len(q.callers); {
		caller := q.callers[0]
		q.callers = append(q.callers[1:], caller)
		w := first(q.waiters[caller], take)
		if w == nil {
			refused++
			continue
		}
		refused = 0
		q.remove(w)
	}
}

// first is the first of line that take takes, else nil. Those that have tried replicas, or
// name an adapter, wait for certain ones, and hold up nobody behind them. Of the rest all are
// refused where one is.
func first(line []*waiter, take func(*waiter) bool) *waiter {
	full := false
	for _, w := range line {
		if full && !w.picky() {
			continue
		}
		if take(w) {
			return w
		}
		full = full || !w.picky()
	}
	return nil
}
