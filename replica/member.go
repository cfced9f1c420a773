package replica

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/spinup-llm/spinup/lifecycle"
)

// A member is one replica from its node to its end. Its fields belong to the set's lock.
type member struct {
	Replica
	instance   Instance
	served     bool
	readySince time.Time
}

// live takes m from node to end. It returns nil after a requested stop, else why it ended.
func (s *Set) live(ctx context.Context, m *member) error {
	scope := s.opts.Scope
	scope.Replica = m.ID
	node, err := s.provisioner.Acquire(ctx, s.opts.Request, scope)
	if err != nil {
		return err
	}
	scope.Node = node.ID()
	// The engine must outlive ctx by its drain.
	life, kill := context.WithCancelCause(context.WithoutCancel(ctx))
	defer kill(nil)
	defer func() { _ = s.provisioner.Release(life, node) }()
	stopKill := context.AfterFunc(ctx, func() { kill(context.Cause(ctx)) })
	s.update(func() { m.NodeID = node.ID() })
	instance, err := s.start(life, scope, node)
	if !stopKill() && err == nil {
		err = lifecycle.FromContext(ctx, "replica.Start", m.ID)
		_ = instance.Stop(life)
		scope.Mark(lifecycle.StageStopped, "")
	}
	if err != nil {
		return err
	}
	s.update(func() { // whoever hears of ready finds it routable, and whoever finds it, heard
		scope.Mark(lifecycle.StageReady, instance.Endpoint().String())
		m.instance, m.served = instance, true
		m.Stage, m.Since, m.readySince = lifecycle.StageReady, time.Now(), time.Now()
	})
	select {
	case <-instance.Down():
		return s.lost(m, scope, instance)
	case <-ctx.Done():
		return s.drain(life, m, scope)
	}
}

// lost takes m out of routing and records the end of an engine that nobody asked for.
func (s *Set) lost(m *member, scope lifecycle.Scope, instance Instance) error {
	s.update(func() { m.Stage, m.Since = lifecycle.StageStopped, time.Now() })
	<-instance.Done()
	err := instance.Err()
	if err == nil {
		err = &lifecycle.Error{Op: "replica", Kind: lifecycle.EngineFailed, Target: m.ID, Err: errors.New("the engine ended")}
	}
	scope.Begin(lifecycle.StageStopped, "").Close(err)
	return err
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
	s.update(func() { m.Stage, m.Since = lifecycle.StageDrain, time.Now() })
	err := scope.Run(limit, lifecycle.StageDrain, func(limit context.Context, _ lifecycle.Scope) error {
		s.idle(limit, m)
		return m.instance.Stop(limit)
	})
	scope.Mark(lifecycle.StageStopped, "")
	if err != nil {
		s.update(func() { s.stopErr = errors.Join(s.stopErr, err) })
	}
	return err
}

// idle waits until m has no request in flight, or ctx ends.
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
		case <-ctx.Done():
			return
		}
	}
}

// pick reserves the ready member with the fewest requests that was not tried yet, or nil.
// The caller releases it.
func (s *Set) pick(tried []string) *member {
	s.mu.Lock()
	defer s.mu.Unlock()
	ready := s.ready(tried)
	if len(ready) == 0 {
		return nil
	}
	m := slices.MinFunc(ready, func(a, b *member) int { return a.Inflight - b.Inflight })
	m.Inflight++
	return m
}

func (s *Set) release(m *member) {
	s.mu.Lock()
	m.Inflight--
	draining := m.Stage == lifecycle.StageDrain
	s.mu.Unlock()
	if draining {
		s.update(func() {})
	}
}

// ready lists the routable members; the caller holds the lock.
func (s *Set) ready(tried []string) []*member {
	var ready []*member
	for _, m := range s.members {
		if m.Stage == lifecycle.StageReady && !slices.Contains(tried, m.ID) {
			ready = append(ready, m)
		}
	}
	return ready
}
