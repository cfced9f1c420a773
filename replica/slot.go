package replica

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/spinup-llm/spinup/lifecycle"
)

// A slot is one wanted replica: it keeps a member alive until it is cancelled or gives up.
// Its fields belong to the set's lock.
type slot struct {
	generation *generation
	cancel     context.CancelFunc
	served     bool      // once
	serving    bool      // its member is ready or in doubt
	err        error     // why it gave up; without a place it asks again nevertheless
	last       error     // why its last member ended
	restarts   int       // members after the first
	failures   int       // in a row: members that ended before they had proved themselves
	retry      time.Time // of the next start; zero while there is a member
}

const (
	// soonest and steady bound how long a replica has to serve, unless it has answered a
	// request, before the failures of those before it are forgotten: as long as it took to
	// start. So a quick engine that dies before its first request is not slow to come back,
	// and one that fails again and again spends most of its time waiting.
	soonest, steady = time.Second, time.Minute
	// tripped is how many failures in a row open the circuit: while every replica of a set
	// has failed that often and waits for its next start, requests are refused at once,
	// with the reason, instead of waiting for something unlikely.
	tripped = 5
)

// keep runs one member after another until ctx ends or a failure is for good.
func (s *Set) keep(ctx context.Context, sl *slot) {
	defer sl.cancel()
	for {
		m := s.add(sl)
		err := s.live(ctx, m)
		wait, over := s.after(ctx, m, err)
		if over {
			return
		}
		s.opts.Logger.LogAttrs(ctx, slog.LevelWarn, "replica ended, starting another",
			slog.String("replica", m.ID), slog.Duration("in", wait), slog.Any("err", err))
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// after records the end of m and decides when its successor starts: at once where it had
// answered a request, or had served and not failed twice before, else after a time that
// grows with the failures. A quick death after another may be bad luck; three are not. Who found
// no place has given up, but a place may come, and then it is taken, as long as others serve.
func (s *Set) after(ctx context.Context, m *member, err error) (wait time.Duration, over bool) {
	sl := m.slot
	s.update(func() {
		s.members = slices.DeleteFunc(s.members, func(o *member) bool { return o == m })
		sl.last, sl.serving = err, false
		if m.answered.Load() || m.served && time.Since(m.readySince) > min(max(m.starting, soonest), steady) {
			sl.failures = 0
		}
		sl.failures++
		sl.served = sl.served || m.served
		sl.err = nil
		if forGood(err, sl, s.count(sl.generation) > 0) {
			sl.err = err
		}
		over = ctx.Err() != nil || sl.err != nil && !m.noPlace
		if !over {
			if !m.served || sl.failures > 2 {
				wait = s.opts.Restart(sl.failures)
			}
			if !m.noPlace {
				sl.restarts++
			}
			sl.retry = time.Now().Add(wait)
		}
	})
	return wait, over
}

// forGood tells failures that would come again from those worth another start. A model
// that has served before, on any replica, is given up only when its files or permissions
// are gone. A place is waited for where this replica had one, or where nothing serves the
// model and it had one or was scaled to zero: else the others have what there is.
func forGood(err error, sl *slot, others bool) bool {
	switch lifecycle.KindOf(err) {
	case lifecycle.Throttled, lifecycle.Unavailable, lifecycle.Canceled:
		return false
	case lifecycle.EngineFailed, lifecycle.Timeout, lifecycle.Unknown, lifecycle.NoSpace:
		return err != nil && !sl.generation.served
	case lifecycle.NoCapacity:
		return !sl.served && (others || !sl.generation.served && !sl.generation.fromZero)
	default:
		return err != nil
	}
}

func (s *Set) add(sl *slot) *member {
	var m *member
	s.update(func() {
		s.serial++
		sl.retry = time.Time{}
		m = &member{slot: sl, doubted: make(chan error, 1), Replica: Replica{
			ID: fmt.Sprintf("%s#%d", s.opts.Name, s.serial), Stage: lifecycle.StageProvision, Since: time.Now(),
			Restarts: sl.restarts, LastErr: sl.last,
		}}
		s.members = append(s.members, m)
	})
	return m
}

// open says why no replica of g is to be expected soon: all have given up, or have failed
// again and again and wait. It is nil else.
func (g *generation) open() (retry time.Time, reason error) {
	if len(g.slots) == 0 {
		return retry, nil
	}
	for _, sl := range g.slots {
		switch {
		case sl.err != nil:
		case sl.failures >= tripped && !sl.retry.IsZero():
			if retry.IsZero() || sl.retry.Before(retry) {
				retry = sl.retry
			}
		default:
			return time.Time{}, nil
		}
	}
	return retry, g.last()
}
