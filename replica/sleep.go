package replica

import (
	"context"
	"slices"
	"time"

	"github.com/spinup-llm/spinup/lifecycle"
)

// StageAsleep is the stage, in the events of a replica that is ready, during which its engine
// has given back its devices' memory. It lasts until a request comes.
const StageAsleep lifecycle.Stage = "asleep"

// A Sleeper is an Instance whose engine can give its devices' memory back and take it again.
// Optional.
type Sleeper interface {
	Instance
	Sleep(ctx context.Context) error
	Wake(ctx context.Context) error // also where it may not sleep
}

// turnWithin is how long an engine may take to fall asleep or to wake: it moves all weights.
const turnWithin = 2 * time.Minute

// A bed is where a member sleeps; nil where it never does.
type bed struct {
	after time.Duration   // without a request
	timer *time.Timer     // of the next look
	turn  chan struct{}   // of one: held by who lets the engine fall asleep or wake
	sleep lifecycle.Scope // the span; belongs to who holds turn
}

func newBed(m *member) *bed {
	after := m.slot.generation.opts.Sleep
	if _, ok := m.instance.(Sleeper); !ok || after <= 0 {
		return nil
	}
	return &bed{after: after, timer: time.NewTimer(after), turn: make(chan struct{}, 1)}
}

func (b *bed) tick() <-chan time.Time {
	if b == nil {
		return nil
	}
	return b.timer.C
}

// rest lets m fall asleep when it has had no request for long enough. One that fails to is
// in doubt.
func (s *Set) rest(ctx context.Context, m *member, scope lifecycle.Scope) {
	b := m.bed
	select {
	case b.turn <- struct{}{}:
	default: // a request has it: it wakes
		b.timer.Reset(b.after)
		return
	}
	defer func() { <-b.turn }()
	s.mu.Lock()
	idle := time.Since(m.idleSince)
	tired := m.Stage == lifecycle.StageReady && m.Inflight == 0 && m.loads == 0 && !m.Asleep && idle >= b.after
	s.mu.Unlock()
	if !tired {
		b.timer.Reset(max(b.after-idle, b.after/4))
		return
	}
	b.timer.Reset(b.after)
	ctx, cancel := context.WithTimeout(ctx, turnWithin)
	defer cancel()
	// A request that comes meanwhile waits for the turn.
	err := m.instance.(Sleeper).Sleep(ctx)
	if err == nil || ctx.Err() != nil { // one that gave no word may sleep: it is woken before the next request
		b.sleep = scope.Begin(StageAsleep, "no request for "+b.after.String())
		s.update(func() { m.Asleep = true })
	}
	if err != nil {
		s.suspect(m, err)
	}
}

// awake returns once m, which the caller has reserved, does not sleep. What has begun is
// brought to its end, also when ctx ends before.
func (s *Set) awake(ctx context.Context, m *member) error {
	b := m.bed
	if b == nil {
		return nil
	}
	select {
	case b.turn <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-b.turn }()
	if !m.Asleep { // it is only written by who has the turn
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), turnWithin)
	defer cancel()
	err := m.instance.(Sleeper).Wake(ctx)
	if err == nil {
		b.sleep.Close(nil)
		s.update(func() { m.Asleep = false })
	}
	return err
}

// leave ends the sleep of a member that ends.
func (b *bed) leave(m *member) {
	if b == nil {
		return
	}
	b.timer.Stop()
	b.turn <- struct{}{}
	defer func() { <-b.turn }()
	if m.Asleep {
		b.sleep.Close(nil)
	}
}

// preferAwake leaves out the members that sleep, unless all do.
func preferAwake(members []*member, shown []Replica) ([]*member, []Replica) {
	asleep := func(r Replica) bool { return r.Asleep }
	if !slices.ContainsFunc(shown, asleep) || !slices.ContainsFunc(shown, func(r Replica) bool { return !r.Asleep }) {
		return members, shown
	}
	members = slices.DeleteFunc(members, func(m *member) bool { return m.Asleep })
	return members, slices.DeleteFunc(shown, asleep)
}
