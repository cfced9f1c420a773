package download

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"syscall"
	"time"

	"github.com/gofrs/flock"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
)

// lockPoll is the time between two tries to get a lock that another process holds.
const lockPoll = 50 * time.Millisecond

// lock makes this run the only one that writes to the directory, showing the progress of
// whoever is at it. Where there are no locks, it is the only one of its Budget, and keeps what
// it brings apart from what other processes do.
func (r *run) lock(ctx context.Context, files []source.File) (unlock func(), err error) {
	waiting := func() {
		r.meter.wait("another download into " + r.plan.Dir)
		if findings, surveyErr := survey(ctx, r.plan.Dir, files, nil, glance); surveyErr == nil {
			plan := r.m.newPlan(r.plan.Dir, findings)
			r.meter.resume(plan.Fetch, len(findings)-plan.Complete)
		}
	}
	l := flock.New(filepath.Join(r.plan.Dir, stateDir, lockName), flock.SetPermissions(fileMode))
	unlock = func() { _ = l.Close() }
	held, err := r.m.take(ctx, r.plan.Dir, l.TryLock, waiting)
	if err == nil && !held {
		turn := func() (bool, error) { return r.budget.enter(r.plan.Dir), nil }
		unlock = func() { r.budget.leave(r.plan.Dir) }
		if err = poll(ctx, turn, waiting); err == nil {
			if err = r.place.withdraw(); err != nil {
				unlock()
			}
		}
	}
	if err != nil {
		return nil, lockError(ctx, r.plan.Dir, err)
	}
	r.meter.wait("")
	return unlock, nil
}

// take polls a lock. Where the file system has none (a Lustre mounted without flock, some of
// FUSE) it warns, once, and there is nothing to hold: then what several processes want is
// fetched by each of them.
func (m *Manager) take(ctx context.Context, dir string, try func() (bool, error), waiting func()) (held bool, err error) {
	err = poll(ctx, try, waiting)
	if !lacksLocks(err) {
		return err == nil, err
	}
	m.lockless.Do(func() {
		m.logger().WarnContext(ctx, "file system without locks",
			slog.String("dir", dir), slog.String("so", "several processes may fetch the same, and nothing is pruned"), slog.Any("error", err))
	})
	return false, nil
}

// lacksLocks reports whether err is how file systems without locks refuse one.
func lacksLocks(err error) bool {
	return errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.ENOLCK)
}

// poll tries until it succeeds or ctx ends; waiting is called about once a second.
func poll(ctx context.Context, try func() (bool, error), waiting func()) error {
	for round := 0; ; round++ {
		if ok, err := try(); ok || err != nil {
			return err
		}
		if round%20 == 0 {
			waiting()
		}
		if err := sleep(ctx, lockPoll); err != nil {
			return err
		}
	}
}

// waitingFor makes of report, which may be nil, what poll calls.
func waitingFor(report func(Progress), what string) func() {
	return func() {
		if report != nil {
			report(Progress{Waiting: what})
		}
	}
}

func lockError(ctx context.Context, dir string, err error) error {
	if ctx.Err() != nil {
		return lifecycle.FromContext(ctx, "download.Run", dir)
	}
	return diskError("download.Run", dir, err)
}
