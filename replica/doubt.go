package replica

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spinup-llm/spinup/lifecycle"
)

// A Checker is an Instance that can be asked whether it still serves. Optional: without it
// a replica is replaced only when its process ends.
type Checker interface {
	Instance
	// Alive asks the engine's health. nil means that it serves; an error of kind
	// EngineFailed, that it says itself that it does not; any other, that it gave no answer.
	Alive(ctx context.Context) error
	// Answers has the engine generate something and returns nil when it did.
	Answers(ctx context.Context) error
	// Kill ends the engine at once, as it does not serve for reason. It returns nil when
	// nothing is left running.
	Kill(ctx context.Context, reason error) error
}

const (
	// aliveWithin is how long a replica in doubt may give no sign of life. A process that
	// has died is known far sooner; this is for one that runs and refuses.
	aliveWithin = 10 * time.Second
	askEvery    = 100 * time.Millisecond // at most
	// buffered is how long bytes may come that the engine sent before it died.
	buffered = time.Second
)

// A verdict is the result of one doubt: a later one has its own.
type verdict struct {
	known  chan struct{} // closed with it
	serves bool          // to be read after that
}

// suspect takes m out of routing at once and has it examined. nil means that m is past all
// doubts.
func (s *Set) suspect(m *member, cause error) *verdict {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m.Stage == lifecycle.StageReady {
		m.Stage, m.Since, m.verdict = StageDoubt, time.Now(), &verdict{known: make(chan struct{})}
		m.doubted <- cause // has room: one doubt at a time
	}
	return m.verdict
}

// doubt is suspect, and waits for the verdict or the end of ctx: whether m serves.
func (s *Set) doubt(ctx context.Context, m *member, cause error) (serves bool) {
	v := s.suspect(m, cause)
	if v == nil {
		return false
	}
	select {
	case <-v.known:
		return v.serves
	case <-ctx.Done():
		return false
	}
}

// examine finds out whether m, in doubt for cause, serves: then it is routed to again and
// the result is nil, else why it is not.
func (s *Set) examine(ctx context.Context, m *member, scope lifecycle.Scope, cause error) error {
	checker, ok := m.instance.(Checker)
	if !ok {
		select { // the death behind a broken connection may be seen a little later
		case <-m.instance.Down():
		case <-ctx.Done():
		case <-time.After(askEvery):
			s.stage(m, lifecycle.StageReady)
		}
		return nil
	}
	err := s.ask(ctx, m, aliveWithin, checker.Alive)
	return s.decide(ctx, m, scope, cause.Error(), err)
}

// decide ends an examination. What the end of the process or of ctx decides is left to
// those who see it. Only a doubt that was right is an event: there is no end to others.
func (s *Set) decide(ctx context.Context, m *member, scope lifecycle.Scope, cause string, err error) error {
	if err != nil && ctx.Err() == nil && !isClosed(m.instance.Down()) {
		scope.Begin(StageDoubt, cause).Close(err)
		return err
	}
	if err == nil {
		s.opts.Logger.LogAttrs(ctx, slog.LevelDebug, "replica serves", slog.String("replica", m.ID), slog.String("doubted", cause))
		s.stage(m, lifecycle.StageReady)
	}
	return nil
}

var errSilent = errors.New("no sign of life")

// ask repeats question until it is answered, the engine says that it serves no more, or
// limit has passed without an answer and without a byte for any request.
func (s *Set) ask(ctx context.Context, m *member, limit time.Duration, question func(context.Context) error) error {
	asked := time.Now()
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	go func() {
		select {
		case <-m.instance.Down():
			cancel()
		case <-limited.Done():
		}
	}()
	for {
		err := question(limited)
		switch {
		case err == nil, errors.Is(err, lifecycle.EngineFailed):
			return err
		case m.lastByte.Load() > asked.Add(buffered).UnixNano():
			return nil // it works for others
		case isOurs(err):
			return nil // nobody was asked
		}
		select {
		case <-limited.Done():
			return &lifecycle.Error{
				Op: "replica", Kind: lifecycle.EngineFailed, Target: m.ID,
				Err:  fmt.Errorf("%w within %v: %w", errSilent, limit, err),
				Hint: "look at the engine's output and at what its machine does; the engine is replaced",
			}
		case <-time.After(askEvery):
		}
	}
}

// condemn kills the engine of a member that does not serve, for reason.
func (s *Set) condemn(life context.Context, m *member, scope lifecycle.Scope, reason error) error {
	s.stage(m, lifecycle.StageStopped)
	if err := m.instance.(Checker).Kill(life, reason); err != nil {
		s.left(err)
		scope.Begin(lifecycle.StageStopped, "").Close(errors.Join(reason, err))
		return reason
	}
	return s.lost(m, scope, reason)
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
