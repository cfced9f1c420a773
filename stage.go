package spinup

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spinup-llm/spinup/lifecycle"
)

// errStalled marks the end of a context whose stage made no progress.
var errStalled = errors.New("no progress")

// stage runs f as a span of stage and ends it when no event of the span has come for the
// stage's limit. An f that ignores its context is left behind after a grace, so that
// nothing hangs.
func (s *startup) stage(ctx context.Context, stage lifecycle.Stage, message string, f func(context.Context, lifecycle.Scope) error) error {
	limit := s.opts.limit(stage)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := time.AfterFunc(limit, func() {
		cancel(&lifecycle.Error{
			Op: "spinup.stage", Kind: lifecycle.Timeout, Target: s.scope.Replica, Stage: stage,
			Err:  fmt.Errorf("%w for %v", errStalled, limit),
			Hint: "look at the last event of the stage, or raise Options.StageLimits",
		})
	})
	defer watch.Stop()
	span := s.scope.Begin(stage, message)
	emit := span.Emit
	span.Emit = func(e lifecycle.Event) {
		watch.Reset(limit)
		emit(e)
	}
	err := lifecycle.InStage(abandonable(ctx, func() error { return f(ctx, span) }), stage)
	span.Close(err)
	return err
}

// grace is how long a cancelled stage may take to return.
const grace = 5 * time.Second

// abandonable runs f, but not longer than grace after the end of ctx. The end of ctx is
// told by its cause, not by what f made of it, and with what kept f waiting until then.
func abandonable(ctx context.Context, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		select {
		case err = <-done:
		case <-time.After(grace):
			return lifecycle.FromContext(ctx, "spinup.stage", "")
		}
	}
	if err == nil || ctx.Err() == nil {
		return err
	}
	ended := lifecycle.FromContext(ctx, "spinup.stage", "")
	if errors.Is(err, lifecycle.Unavailable) || errors.Is(err, lifecycle.Throttled) {
		return fmt.Errorf("%w, after %w", ended, err)
	}
	return ended
}
