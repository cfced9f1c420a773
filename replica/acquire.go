package replica

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/spinup-llm/spinup/lifecycle"
)

var (
	errNoReplica  = errors.New("no replica is ready")
	errNoneWanted = errors.New("no replica is wanted: the model is scaled to zero")
	errBusy       = errors.New("all replicas have as many requests as they may")
	errAdapters   = errors.New("all replicas have as many adapters in use as they may, or as many requests")
	errOnlyTried  = errors.New("no other replica is ready")
)

// acquire reserves a member that was not tried for a request, waiting within the limits.
// The caller prepares and releases it. caller names who asks: those with fewer requests do not wait for
// those with many. Errors: errOnlyTried when only such are ready, a *refusal when the
// limits are reached, and context.Cause(ctx).
func (s *Set) acquire(ctx context.Context, p Pick, caller string, tried []string) (hold, error) {
	s.mu.Lock()
	limits := s.current.opts.Limits
	w := &waiter{pick: p, caller: caller, tried: tried, got: make(chan grant, 1)}
	var err error
	switch {
	case s.offer(w): // it overtakes nobody: who waits has just been refused what there is
	case s.ended || limits.WaitingFor < 0 || limits.Waiting > 0 && s.queue.length >= limits.Waiting:
		err = s.refuse(p)
		if s.current.want == 0 {
			s.missed++ // what comes back later finds a replica
			s.demand()
		}
	default:
		s.queue.push(w)
		s.traffic.add(time.Now(), 1)
		s.demand()
	}
	s.mu.Unlock()
	if err != nil {
		return hold{}, err
	}
	return s.wait(ctx, w, limits.WaitingFor)
}

// wait returns what w is granted, or why not.
func (s *Set) wait(ctx context.Context, w *waiter, limit time.Duration) (hold, error) {
	select {
	case g := <-w.got: // in most cases already there
		return g.hold, g.err
	default:
	}
	late := time.NewTimer(limit)
	defer late.Stop()
	select {
	case g := <-w.got:
		return g.hold, g.err
	case <-late.C:
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.queue.remove(w) {
		s.traffic.add(time.Now(), -1)
		if ctx.Err() != nil {
			return hold{}, context.Cause(ctx)
		}
		return hold{}, s.refuse(w.pick)
	}
	g := <-w.got // at the same moment; use it
	return g.hold, g.err
}

// limits are those that hold now.
func (s *Set) limits() Limits {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current.opts.Limits
}

// release gives h back at the end of a request.
func (s *Set) release(h hold) {
	m := h.member
	s.mu.Lock()
	m.Inflight--
	if m.Inflight == 0 {
		m.idleSince = time.Now()
	}
	if h.adapter != nil {
		h.adapter.users--
		s.uses++
		h.adapter.used = s.uses
	}
	s.traffic.add(time.Now(), -1)
	s.dispatch()
	draining := m.Stage == lifecycle.StageDrain
	s.mu.Unlock()
	if draining {
		s.update(func() {})
	}
}

// dispatch serves those who wait; the caller holds the lock.
func (s *Set) dispatch() {
	s.queue.serve(func(w *waiter) bool {
		if !s.offer(w) {
			return false
		}
		s.traffic.add(time.Now(), -1)
		return true
	})
}

// offer grants w what there is for it, and reports false when it has to wait. The caller
// holds the lock.
func (s *Set) offer(w *waiter) bool {
	free, ready, other := s.choose(w)
	switch {
	case free != nil:
		now := time.Now()
		if free.Inflight == 0 {
			free.busySince = now
		}
		free.Inflight++
		s.traffic.add(now, 1)
		h := hold{member: free}
		if w.pick.Adapter != "" {
			h.adapter, h.load = s.take(free, w.pick.Adapter)
		}
		w.got <- grant{hold: h}
	case s.ended:
		w.got <- grant{err: s.refuse(w.pick)}
	case w.pick.Adapter != "" && s.current.opts.Adapters == nil: // since an Update
		w.got <- grant{err: &adapterError{errNoAdapters}}
	case ready && !other:
		w.got <- grant{err: errOnlyTried}
	case !ready && s.hopeless():
		w.got <- grant{err: s.refuse(w.pick)}
	default:
		return false
	}
	return true
}

// choose picks a member for w among those with room. It also tells whether any is ready,
// and whether there is or will be one that w has not tried.
func (s *Set) choose(w *waiter) (free *member, ready, other bool) {
	limit, adapters := s.current.opts.Limits.Ongoing, s.current.opts.Adapters
	untried := len(s.current.slots) - len(s.current.reasons())
	s.candidates, s.shown = s.candidates[:0], s.shown[:0]
	for _, m := range s.members {
		if m.Stage != lifecycle.StageReady || m.slot.generation != s.current {
			continue
		}
		ready = true
		if slices.Contains(w.tried, m.ID) {
			untried--
			continue
		}
		if w.pick.Adapter != "" && (adapters == nil || m.fit(w.pick.Adapter, adapters.max()) == isFull) {
			continue
		}
		if limit <= 0 || m.Inflight < limit {
			s.candidates, s.shown = append(s.candidates, m), append(s.shown, m.Replica)
		}
	}
	other = untried > 0
	if len(s.candidates) == 0 {
		return nil, ready, other
	}
	s.candidates, s.shown = preferAwake(s.candidates, s.shown)
	if w.pick.Adapter != "" {
		s.prefer(w.pick.Adapter)
	}
	i := s.current.opts.Pick(w.pick, s.shown)
	return s.candidates[min(max(i, 0), len(s.candidates)-1)], ready, other
}

// hopeless reports that waiting is in vain: nobody wants a replica, or none is to be
// expected soon. The caller holds the lock.
func (s *Set) hopeless() bool {
	if s.current.want == 0 && s.current.opts.Scale == nil {
		return true
	}
	_, reason := s.current.open()
	return reason != nil
}

// A refusal says why a request gets no replica, and when to come back.
type refusal struct {
	err   error         // errBusy, errAdapters, errNoReplica or errNoneWanted
	last  error         // why a replica ended last; nil when none has
	retry time.Duration // to come back after
}

func (r *refusal) Error() string { return r.err.Error() }
func (r *refusal) Unwrap() error { return r.err }

// refuse makes the refusal of p for now; the caller holds the lock.
func (s *Set) refuse(p Pick) error {
	switch {
	case s.ended || s.count(s.current) == 0:
	case p.Adapter != "":
		return &refusal{err: errAdapters, retry: time.Second}
	default:
		return &refusal{err: errBusy, retry: time.Second}
	}
	r := &refusal{err: errNoReplica, last: s.current.last(), retry: time.Second}
	if s.current.want == 0 && s.current.opts.Scale == nil {
		r.err = errNoneWanted
	}
	if at, _ := s.current.open(); !at.IsZero() {
		r.retry = max(r.retry, time.Until(at))
	}
	return r
}
