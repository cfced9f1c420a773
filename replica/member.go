package replica

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/spinup-llm/spinup/lifecycle"
)

// StageDoubt is the stage of a replica that is out of routing while it is asked whether it
// still serves.
const StageDoubt lifecycle.Stage = "doubt"

// Replica is a snapshot of one member of a Set.
type Replica struct {
	ID       string
	NodeID   string
	Stage    lifecycle.Stage // provision while it starts, then ready, at times doubt, then drain
	Asleep   bool            // its engine has to wake before it can answer
	Inflight int             // requests
	Since    time.Time       // when Stage began
	Restarts int             // how many ended before it in its place
	LastErr  error           // why the one before it ended; nil for the first
	Adapters []string        // that are loaded, sorted; read only
}

// A member is one replica from its node to its end. Its fields belong to the set's lock,
// but for the atomic ones.
type member struct {
	Replica
	slot       *slot
	instance   Instance
	served     bool
	told       bool          // that it was ready
	starting   time.Duration // how long it took to be ready
	readySince time.Time
	doubted    chan error   // of one: why it is in doubt
	verdict    *verdict     // to come; nil without a doubt
	noPlace    bool         // the provisioner had none
	busySince  time.Time    // when its first request of those in flight came
	idleSince  time.Time    // when its last request ended, or it was ready
	bed        *bed         // nil: it never sleeps
	answered   atomic.Bool  // a request, not with an error
	lastByte   atomic.Int64 // when a byte of an answer came last, in Unix nanoseconds
	adapters   map[string]*adapter
	loads      int // of adapters, under way
	preparing  int // requests that wait for them
}

// live takes m from node to end. It returns nil after a requested stop, else why it ended.
func (s *Set) live(ctx context.Context, m *member) error {
	scope := s.opts.Scope
	scope.Replica = m.ID
	g := m.slot.generation
	node, err := s.node(ctx, m, scope)
	if err != nil {
		m.noPlace = lifecycle.KindOf(err) == lifecycle.NoCapacity
		return err
	}
	scope.Node = node.ID()
	// The engine must outlive ctx by its drain.
	life, kill := context.WithCancelCause(context.WithoutCancel(ctx))
	defer kill(nil)
	defer s.giveBack(ctx, node)
	stopKill := context.AfterFunc(ctx, func() { kill(context.Cause(ctx)) })
	s.update(func() { m.NodeID, m.slot.err = node.ID(), nil })
	instance, err := g.start(life, scope, node)
	if !stopKill() && err == nil {
		err = lifecycle.FromContext(ctx, "replica.Start", m.ID)
		s.left(instance.Stop(life))
		scope.Mark(lifecycle.StageStopped, "")
	}
	if err != nil {
		return err
	}
	s.update(func() {
		m.instance, m.served, m.slot.serving, g.served = instance, true, true, true
		m.starting = time.Since(m.Since)
		m.Stage, m.Since, m.readySince, m.idleSince = lifecycle.StageReady, time.Now(), time.Now(), time.Now()
		m.bed = newBed(m)
	})
	// Whoever hears of ready finds it routable; whoever awaited it finds that it was told.
	scope.Mark(lifecycle.StageReady, instance.Endpoint().String())
	s.update(func() { m.told = true })
	defer s.settle(m)
	return s.serve(ctx, life, m, scope)
}

// serve watches a ready member until it ends.
func (s *Set) serve(ctx, life context.Context, m *member, scope lifecycle.Scope) error {
	stall := newStallWatch(m)
	defer stall.stop()
	defer m.bed.leave(m)
	for {
		var reason error
		select {
		case <-m.instance.Down():
			return s.lost(m, scope, nil)
		case <-ctx.Done():
			return s.drain(life, m, scope)
		case <-m.bed.tick():
			s.rest(ctx, m, scope)
		case cause := <-m.doubted:
			reason = s.examine(ctx, m, scope, cause)
		case <-stall.tick():
			if s.stalled(m, stall.limit) {
				reason = s.examineStall(ctx, m, scope, stall.limit)
			}
		}
		if reason != nil {
			return s.condemn(life, m, scope, reason)
		}
	}
}

// goneWithin is how long an engine that serves no more may take to be gone: it has been
// killed by then, and hooks have told of its end.
const goneWithin = time.Minute

// lost takes m out of routing and records the end of an engine that nobody asked for, for
// reason where that is known.
func (s *Set) lost(m *member, scope lifecycle.Scope, reason error) error {
	s.stage(m, lifecycle.StageStopped)
	err := reason
	select {
	case <-m.instance.Done():
		err = cmp.Or(err, m.instance.Err())
	case <-time.After(goneWithin): // its successor does not wait for what the system cannot end
		s.left(&lifecycle.Error{
			Op: "replica", Kind: lifecycle.EngineFailed, Target: m.ID, Err: fmt.Errorf("the engine serves no more, but has not gone within %v", goneWithin),
			Hint: "look for its processes; they may still hold memory of the accelerator",
		})
	}
	if err == nil {
		err = &lifecycle.Error{Op: "replica", Kind: lifecycle.EngineFailed, Target: m.ID, Err: errors.New("the engine ended")}
	}
	scope.Begin(lifecycle.StageStopped, "").Close(err)
	return err
}

// stage moves m to stage, which ends a doubt.
func (s *Set) stage(m *member, stage lifecycle.Stage) {
	s.update(func() {
		m.Stage, m.Since = stage, time.Now()
		m.slot.serving = stage == lifecycle.StageReady || stage == StageDoubt
		if m.verdict != nil && stage != StageDoubt {
			m.verdict.serves = stage == lifecycle.StageReady
			close(m.verdict.known)
			m.verdict = nil
		}
	})
}

// drain takes m out of routing, waits for its requests, and stops the engine.
func (s *Set) drain(ctx context.Context, m *member, scope lifecycle.Scope) error {
	limit, cancel := context.WithTimeout(ctx, s.opts.Drain)
	defer cancel()
	go func() {
		select {
		case <-s.killed:
			cancel()
		case <-limit.Done():
		}
	}()
	s.stage(m, lifecycle.StageDrain)
	err := scope.Run(limit, lifecycle.StageDrain, func(limit context.Context, _ lifecycle.Scope) error {
		s.idle(limit, m)
		return m.instance.Stop(limit)
	})
	scope.Mark(lifecycle.StageStopped, "")
	s.left(err)
	return err
}

// left records err, of what could not be stopped or given back; nil is nothing.
func (s *Set) left(err error) {
	if err != nil {
		s.update(func() { s.stopErr = errors.Join(s.stopErr, err) })
	}
}

// idle waits until m has no request in flight, or ctx ends, or the engine does.
func (s *Set) idle(ctx context.Context, m *member) {
	for {
		s.mu.Lock()
		inflight, changed := m.Inflight, s.changed
		s.mu.Unlock()
		if inflight == 0 {
			return
		}
		select {
		case <-changed:
		case <-m.instance.Down():
			return
		case <-ctx.Done():
			return
		}
	}
}
