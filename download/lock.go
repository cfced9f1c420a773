package download

import (
	"context"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
)

// lockPoll is the time between two tries to get a lock that another process holds.
const lockPoll = 50 * time.Millisecond

// lock makes this run the only one that writes to the directory, showing the progress of
// whoever is at it.
func (r *run) lock(ctx context.Context, files []source.File) (unlock func(), err error) {
	l := flock.New(filepath.Join(r.plan.Dir, stateDir, lockName), flock.SetPermissions(fileMode))
	err = poll(ctx, l.TryLock, func() {
		r.meter.wait("another download into " + r.plan.Dir)
		if findings, surveyErr := survey(ctx, r.plan.Dir, files, nil, false); surveyErr == nil {
			plan := r.m.newPlan(r.plan.Dir, findings)
			r.meter.resume(plan.Fetch, len(findings)-plan.Complete)
		}
	})
	if err != nil {
		return nil, lockError(ctx, r.plan.Dir, err)
	}
	r.meter.wait("")
	return func() { _ = l.Close() }, nil
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
