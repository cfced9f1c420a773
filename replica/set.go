package replica

import (
	"context"
	"errors"
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
	// Stop returns nil when nothing is left running. It kills when ctx has ended.
	Stop(ctx context.Context) error
}

// A Start brings up one replica on a node and returns once it serves. The instance lives
// until Stop or until ctx ends. The set tells of the moments ready and stopped itself.
type Start func(ctx context.Context, scope lifecycle.Scope, n Node) (Instance, error)

// SetOptions tune a Set; nil means the defaults. Update may change those marked so.
type SetOptions struct {
	Request Request                          // Update
	Scope   lifecycle.Scope                  // Emit and Model
	Name    string                           // of the replicas: NAME#1, NAME#2, …; "" means the model's
	Restart func(failures int) time.Duration // nil means 1s doubling to 1m
	Drain   time.Duration                    // for requests in flight, then for the engine's stop; 0 means 30s
	Limits  Limits                           // Update
	Pick    Picker                           // Update; nil means LeastOfTwo
	Scale   *Scaling                         // Update; nil keeps the number that Want says
	Sleep   time.Duration                    // Update; without a request, until an engine that can sleeps; 0 means never
	Logger  *slog.Logger                     // nil means slog.Default

	Adapters *Adapters // Update; nil: requests name none
	_        struct{}
}

func (o *SetOptions) withDefaults() SetOptions {
	var c SetOptions
	if o != nil {
		c = *o
	}
	if c.Name == "" {
		c.Name = c.Scope.Model
	}
	if c.Restart == nil {
		c.Restart = doubling
	}
	if c.Drain == 0 {
		c.Drain = 30 * time.Second
	}
	if c.Pick == nil {
		c.Pick = LeastOfTwo
	}
	if c.Logger == nil {
		c.Logger = slog.Default() //nolint:forbidigo // the default is resolved here
	}
	if c.Scale != nil {
		scale := c.Scale.withDefaults()
		c.Scale = &scale
	}
	c.Limits = c.Limits.withDefaults()
	return c
}

func doubling(failures int) time.Duration {
	return min(time.Minute, time.Second<<min(max(failures, 1)-1, 6))
}

// Set converges on a wanted number of replicas and hands them out to requests. Make one
// with NewSet; its methods are safe for concurrent use.
type Set struct {
	provisioner Provisioner
	opts        SetOptions // what an Update may change is in current.opts

	killed   chan struct{} // closed by Kill
	killing  sync.Once
	updating sync.Mutex    // held by the one Update there may be
	demanded chan struct{} // of one: a request waits for the first replica

	mu         sync.Mutex
	changed    chan struct{} // closed and replaced at each change
	ended      bool          // Run has returned or is about to
	current    *generation
	next       *generation // of an Update that is not decided yet, else nil
	members    []*member
	serial     int
	uses       int // of adapters, counted
	queue      queue
	missed     int // requests that could not wait for the first replica, since the last decision
	traffic    meter
	candidates []*member // of choose, kept for its memory
	shown      []Replica // the same
	stopErr    error     // what could not be stopped
}

// A generation is what an Update replaces: how to start a replica, and the slots that do.
type generation struct {
	start  Start
	opts   SetOptions
	want   int
	slots  []*slot
	served bool // once, or those did that an Update replaced by none
	// fromZero: its first replica was asked for while none was wanted. Nobody waits at a start to
	// be told that there is no place; requests do, until another model gives one back.
	fromZero bool
}

// NewSet returns a set that wants no replica yet, or Scale.Initial of them.
func NewSet(p Provisioner, start Start, opts *SetOptions) *Set {
	s := &Set{
		provisioner: p, opts: opts.withDefaults(),
		changed: make(chan struct{}), killed: make(chan struct{}), demanded: make(chan struct{}, 1),
	}
	s.current = &generation{start: start, opts: s.opts}
	if s.opts.Scale != nil {
		s.current.want = s.opts.Scale.Initial
	}
	return s
}

// Want sets the number of replicas; it does not wait. A set with Scale goes on from there.
// While an Update runs, it is that of the new replicas too, within their bounds.
func (s *Set) Want(n int) {
	s.update(func() {
		s.current.scaleTo(max(0, n))
		if s.next != nil {
			s.next.want = s.next.bounded(s.current.want)
		}
	})
}

// Run reconciles until ctx ends, then drains all and returns context.Cause(ctx). It
// returns earlier, with the reason, when every wanted replica has failed for good. Run it
// once.
func (s *Set) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	defer s.end()
	scaling, stop := context.WithCancel(ctx)
	defer stop()
	wg.Go(func() { s.scale(scaling) })
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

// Abandon is for a set that will not be Run: nobody waits for its replicas.
func (s *Set) Abandon() { s.end() }

// Kill ends every drain that is under way or to come: engines are killed without waiting
// for their requests. It does not stop Run, whose context does.
func (s *Set) Kill() { s.killing.Do(func() { close(s.killed) }) }

// Await waits until at least n replicas are ready, or as many as are wanted, or none can
// become so: then it returns the reasons, joined.
func (s *Set) Await(ctx context.Context, n int) error {
	for {
		s.mu.Lock()
		ready, changed := s.told(s.current), s.changed
		reasons := s.current.reasons()
		enough := min(n, s.current.want)
		possible := !s.ended && (len(reasons) == 0 || s.current.want-len(reasons) >= enough)
		s.mu.Unlock()
		switch {
		case ready >= enough:
			return nil
		case !possible && len(reasons) > 0:
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

// Err joins the reasons when every wanted replica has failed for good; it is nil else.
func (s *Set) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current.lost()
}

// LastErr says why a replica ended last, also when another is starting in its place.
func (s *Set) LastErr() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current.last()
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
	for _, g := range []*generation{s.current, s.next} {
		if g == nil {
			continue
		}
		for len(g.slots) < g.want {
			slotCtx, cancel := context.WithCancel(ctx)
			sl := &slot{generation: g, cancel: cancel}
			g.slots = append(g.slots, sl)
			wg.Go(func() { s.keep(slotCtx, sl) })
		}
		g.drop(g.want)
	}
	s.dispatch() // who waits for a replica that was to come may do so in vain now
	return s.changed
}

// end stops every slot but keeps them: they know why they gave up. Nobody waits any more.
func (s *Set) end() {
	s.update(func() {
		s.ended = true
		s.current.cancel()
		if s.next != nil {
			s.next.cancel()
		}
	})
}

// update changes state under the lock, serves who waits for a replica, and wakes everyone
// who waits for a change.
func (s *Set) update(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
	s.dispatch()
	close(s.changed)
	s.changed = make(chan struct{})
}

// count is the number of ready replicas of g; the caller holds the lock.
func (s *Set) count(g *generation) (n int) {
	for _, m := range s.members {
		if m.slot.generation == g && m.Stage == lifecycle.StageReady {
			n++
		}
	}
	return n
}

// told is the number of those whose readiness has been told; the caller holds the lock.
func (s *Set) told(g *generation) (n int) {
	for _, m := range s.members {
		if m.slot.generation == g && m.Stage == lifecycle.StageReady && m.told {
			n++
		}
	}
	return n
}

// scaleTo has g want n replicas from now on.
func (g *generation) scaleTo(n int) {
	g.fromZero = g.fromZero || g.want == 0 && n > 0 && g.opts.Scale != nil
	g.want = n
}

// bounded is n within the bounds of g's scaling.
func (g *generation) bounded(n int) int {
	if c := g.opts.Scale; c != nil {
		return c.bounded(n)
	}
	return n
}

// reasons are those of the slots that gave up.
func (g *generation) reasons() (reasons []error) {
	for _, sl := range g.slots {
		if sl.err != nil {
			reasons = append(reasons, sl.err)
		}
	}
	return reasons
}

// lost joins the reasons when every slot has given up.
func (g *generation) lost() error {
	reasons := g.reasons()
	if len(reasons) < len(g.slots) {
		return nil
	}
	return errors.Join(reasons...)
}

func (g *generation) last() error {
	var reasons []error
	for _, sl := range g.slots {
		reasons = append(reasons, sl.last)
	}
	return errors.Join(reasons...)
}

func (g *generation) cancel() {
	for _, sl := range g.slots {
		sl.cancel()
	}
}

// drop cancels all but n slots: those that gave up first, then those that do not serve.
func (g *generation) drop(n int) {
	for len(g.slots) > n {
		worth := func(sl *slot) int {
			switch {
			case sl.err != nil:
				return 0
			case !sl.serving:
				return 1
			default:
				return 2
			}
		}
		least := len(g.slots) - 1
		for i := range slices.Backward(g.slots) {
			if worth(g.slots[i]) < worth(g.slots[least]) {
				least = i
			}
		}
		g.slots[least].cancel()
		g.slots = slices.Delete(g.slots, least, least+1)
	}
}
