package replica

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/spinup-llm/spinup/lifecycle"
)

// An Instance is one running engine behind a replica.
type Instance interface {
	// Endpoint is the base URL at which the engine answers.
	Endpoint() *url.URL
	// Down is closed as soon as it serves no more, Done when nothing of it is left; Err
	// says why, from Done on at the latest.
	Down() <-chan struct{}
	Done() <-chan struct{}
	Err() error
	// Stop returns nil when nothing is left running.
	Stop(ctx context.Context) error
}

// A Start brings up one replica on a node and returns once it serves. The instance lives
// until Stop or until ctx ends. The set tells of the moments ready and stopped itself.
type Start func(ctx context.Context, scope lifecycle.Scope, n Node) (Instance, error)

// SetOptions tune a Set; nil means the defaults.
type SetOptions struct {
	Request Request
	Scope   lifecycle.Scope                  // Emit and Model
	Name    string                           // of the replicas: NAME#1, NAME#2, …; "" means the model's
	Restart func(failures int) time.Duration // nil means 1s doubling to 1m
	Drain   time.Duration                    // for requests in flight, then for the engine's stop; 0 means 30s
	Logger  *slog.Logger                     // nil means slog.Default
	_       struct{}
}

// Replica is a snapshot of one member of a Set.
type Replica struct {
	ID       string
	NodeID   string
	Stage    lifecycle.Stage // provision while it starts, then ready, then drain
	Inflight int             // requests
	Since    time.Time       // when Stage began
}

// Set converges on a wanted number of replicas. Make one with NewSet; its methods are safe
// for concurrent use.
type Set struct {
	provisioner Provisioner
	start       Start
	opts        SetOptions

	killed  chan struct{} // closed by Kill
	killing sync.Once

	mu      sync.Mutex
	changed chan struct{} // closed and replaced at each change
	want    int
	ended   bool // Run has returned or is about to
	slots   []*slot
	members []*member
	serial  int
	stopErr error // what could not be stopped
}

// A slot is one wanted replica: it keeps a member alive until it is cancelled or gives up.
type slot struct {
	cancel context.CancelFunc
	err    error // why it gave up
	last   error // why its last member ended
}

// NewSet returns a set that wants no replica yet.
func NewSet(p Provisioner, start Start, opts *SetOptions) *Set {
	s := &Set{provisioner: p, start: start, changed: make(chan struct{}), killed: make(chan struct{})}
	if opts != nil {
		s.opts = *opts
	}
	if s.opts.Name == "" {
		s.opts.Name = s.opts.Scope.Model
	}
	if s.opts.Restart == nil {
		s.opts.Restart = doubling
	}
	if s.opts.Drain == 0 {
		s.opts.Drain = 30 * time.Second
	}
	if s.opts.Logger == nil {
		s.opts.Logger = slog.Default() //nolint:forbidigo // the default is resolved here
	}
	return s
}

// steady is how long a replica has to serve before its failures are forgotten.
const steady = time.Minute

func doubling(failures int) time.Duration {
	return min(time.Minute, time.Second<<min(failures-1, 6))
}

// Want sets the number of replicas; it does not wait.
func (s *Set) Want(n int) {
	s.update(func() { s.want = n })
}

// Run reconciles until ctx ends, then drains all and returns context.Cause(ctx). It
// returns earlier, with the reason, when every wanted replica has failed for good. Run it
// once.
func (s *Set) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	defer s.end()
	for {
		changed := s.resize(ctx, &wg)
		if err := s.Err(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-changed:
		}
	}
}

// Kill ends every drain that is under way or to come: engines are killed without waiting
// for their requests. It does not stop Run, whose context does.
func (s *Set) Kill() { s.killing.Do(func() { close(s.killed) }) }

// Await waits until at least n replicas are ready, or none can become so: then it returns
// the reasons, joined.
func (s *Set) Await(ctx context.Context, n int) error {
	for {
		s.mu.Lock()
		ready, changed := len(s.ready(nil)), s.changed
		givenUp, reasons := 0, []error(nil)
		for _, sl := range s.slots {
			if sl.err != nil {
				givenUp, reasons = givenUp+1, append(reasons, sl.err)
			}
		}
		possible := !s.ended && (givenUp == 0 || s.want-givenUp >= n)
		s.mu.Unlock()
		switch {
		case ready >= n:
			return nil
		case !possible && errors.Join(reasons...) != nil:
			return errors.Join(reasons...)
		case !possible:
			return &lifecycle.Error{Op: "replica.Await", Kind: lifecycle.Canceled, Target: s.opts.Scope.Model, Err: errEnded}
		}
		select {
		case <-ctx.Done():
			return lifecycle.FromContext(ctx, "replica.Await", s.opts.Scope.Model)
		case <-changed:
		}
	}
}

var errEnded = errors.New("the set has been stopped")

// All yields a snapshot of the members.
func (s *Set) All() iter.Seq[Replica] {
	s.mu.Lock()
	defer s.mu.Unlock()
	snapshot := make([]Replica, len(s.members))
	for i, m := range s.members {
		snapshot[i] = m.Replica
	}
	return slices.Values(snapshot)
}

// Err joins the reasons when every wanted replica has failed for good; it is nil else.
func (s *Set) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var reasons []error
	for _, sl := range s.slots {
		if sl.err == nil {
			return nil
		}
		reasons = append(reasons, sl.err)
	}
	return errors.Join(reasons...)
}

// LastErr says why a replica ended last, also when another is starting in its place.
func (s *Set) LastErr() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var reasons []error
	for _, sl := range s.slots {
		reasons = append(reasons, sl.last)
	}
	return errors.Join(reasons...)
}

// StopErr joins what could not be stopped, once Run has returned.
func (s *Set) StopErr() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopErr
}

// resize makes as many slots as are wanted and returns what tells of the next change.
func (s *Set) resize(ctx context.Context, wg *sync.WaitGroup) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.slots) < s.want {
		slotCtx, cancel := context.WithCancel(ctx)
		sl := &slot{cancel: cancel}
		s.slots = append(s.slots, sl)
		wg.Go(func() { s.keep(slotCtx, sl) })
	}
	s.drop(s.want)
	return s.changed
}

// end stops every slot but keeps them: they know why they gave up.
func (s *Set) end() {
	s.update(func() {
		s.ended = true
		for _, sl := range s.slots {
			sl.cancel()
		}
	})
}

func (s *Set) drop(n int) {
	for len(s.slots) > n {
		last := len(s.slots) - 1
		s.slots[last].cancel()
		s.slots = s.slots[:last]
	}
}

// keep runs one member after another until ctx ends or a failure is for good.
func (s *Set) keep(ctx context.Context, sl *slot) {
	defer sl.cancel()
	served := false
	for failures := 1; ; failures++ {
		m := s.add()
		err := s.live(ctx, m)
		served = served || m.served
		if m.served && time.Since(m.readySince) > steady {
			failures = 1
		}
		s.update(func() {
			s.members = slices.DeleteFunc(s.members, func(o *member) bool { return o == m })
			sl.last = err
			if forGood(err, served) {
				sl.err = err
			}
		})
		if ctx.Err() != nil || forGood(err, served) {
			return
		}
		wait := s.opts.Restart(failures)
		s.opts.Logger.LogAttrs(ctx, slog.LevelWarn, "replica ended, starting another",
			slog.String("replica", m.ID), slog.Duration("in", wait), slog.Any("err", err))
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// forGood tells failures that would come again from those worth another start. A model
// that has served before is given up only when its files or permissions are gone.
func forGood(err error, served bool) bool {
	switch lifecycle.KindOf(err) {
	case lifecycle.Throttled, lifecycle.Unavailable, lifecycle.Canceled:
		return false
	case lifecycle.EngineFailed, lifecycle.Timeout, lifecycle.Unknown, lifecycle.NoSpace:
		return !served
	default:
		return err != nil
	}
}

func (s *Set) add() *member {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serial++
	m := &member{Replica: Replica{
		ID: fmt.Sprintf("%s#%d", s.opts.Name, s.serial), Stage: lifecycle.StageProvision, Since: time.Now(),
	}}
	s.members = append(s.members, m)
	return m
}

// update changes state under the lock and wakes everyone who waits for a change.
func (s *Set) update(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
	close(s.changed)
	s.changed = make(chan struct{})
}
