package replica

import (
	"context"
	"errors"

	"github.com/spinup-llm/spinup/lifecycle"
)

// Update replaces how replicas are started and the options marked so, without a gap: n new
// replicas (negative: as many as are wanted now) start beside the old ones. When all of
// them are ready, requests go to them and the old ones drain. When one fails for good, or
// ctx ends before, the new ones are stopped, the old ones go on as if nothing had happened,
// and the reason is returned. Update returns nil when the old ones have gone, or ctx has
// ended after the change. While it runs, another one is refused. An Update of no replicas starts
// none: the first that is asked for later is tried like a replacement, as nothing is left to go back to.
func (s *Set) Update(ctx context.Context, n int, start Start, opts *SetOptions) error {
	if !s.updating.TryLock() {
		return &lifecycle.Error{
			Op: "replica.Update", Kind: lifecycle.Unavailable, Target: s.opts.Scope.Model,
			Err: errors.New("another update is under way"), Hint: "wait for its end",
		}
	}
	defer s.updating.Unlock()
	next := &generation{start: start, opts: opts.withDefaults(), want: n}
	s.update(func() {
		if n < 0 {
			next.want = s.current.want
		}
		next.want = next.bounded(next.want)
		s.next = next
	})
	old, err := s.promote(ctx, next)
	if err != nil {
		return err
	}
	for {
		s.mu.Lock()
		left, changed := 0, s.changed
		for _, m := range s.members {
			if m.slot.generation == old {
				left++
			}
		}
		s.mu.Unlock()
		if left == 0 {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

// promote makes next the current generation as soon as it is ready and returns the one
// before, or gives next up.
func (s *Set) promote(ctx context.Context, next *generation) (old *generation, err error) {
	for {
		var done bool
		var changed <-chan struct{}
		s.mu.Lock()
		switch reasons := next.reasons(); {
		case s.ended:
			err = &lifecycle.Error{Op: "replica.Update", Kind: lifecycle.Canceled, Target: s.opts.Scope.Model, Err: errEnded}
		case len(reasons) > 0:
			err = errors.Join(reasons...)
		case ctx.Err() != nil:
			err = errors.Join(lifecycle.FromContext(ctx, "replica.Update", s.opts.Scope.Model), next.last())
		default:
			done = s.told(next) >= next.want
		}
		changed = s.changed
		s.mu.Unlock()
		if done || err != nil {
			break
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
	s.update(func() {
		s.next = nil
		if err != nil {
			next.cancel()
			return
		}
		old, s.current = s.current, next
		next.served, next.fromZero = next.served || old.served, next.fromZero || old.fromZero // where none of next had to start
		old.cancel()
	})
	return old, err
}
