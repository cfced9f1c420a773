package spinup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/lifecycle"
)

// standbys are the processes of a model's engine that have done what needs no model, and wait
// for a replica to become. They are no replicas, and hold no device and no file of the model.
// What is missing is made one at a time while no replica starts, so that no start competes
// with it.
type standbys struct {
	wanted int
	name   string // of the model's replicas
	share  int    // of the machine's cores
	woken  chan struct{}

	mu       sync.Mutex
	model    *model // of the configuration that holds
	waiting  []*standby
	starting int             // replicas
	adopted  map[string]bool // replicas that a standby has become
	serial   int
	failures int       // in a row
	retry    time.Time // not before
	lastErr  error     // of them; nil when there was none
	left     error     // what could not be ended
}

const (
	// standbySteady is how long a standby has to live before the failures of those before it
	// are forgotten, unless a replica takes it; standbyRetry is the longest pause after one.
	standbySteady, standbyRetry = time.Minute, time.Minute
)

func newStandbys(m *model, name string, share int) *standbys {
	return &standbys{
		wanted: m.opts.Standbys, name: name, share: share, model: m,
		woken: make(chan struct{}, 1), adopted: map[string]bool{},
	}
}

// run keeps as many as are wanted until ctx ends, and then ends them. The first replicas come
// first.
func (p *standbys) run(ctx context.Context, first *model) error {
	if p.wanted <= 0 {
		return nil
	}
	_ = first.set.Await(ctx, first.wanted()) // its error is told by others
	var watches sync.WaitGroup
	for ctx.Err() == nil {
		missing, later := p.missing()
		if missing {
			if s := p.launch(ctx); s != nil {
				watches.Go(func() { p.watch(s.ctx, s) })
			}
			continue
		}
		select {
		case <-ctx.Done():
		case <-p.woken:
		case <-later:
		}
	}
	watches.Wait()
	return p.left
}

// missing reports that one is to be made now, or when to ask again.
func (p *standbys) missing() (now bool, later <-chan time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	busy := slices.ContainsFunc(p.waiting, func(s *standby) bool { return !s.idle })
	if len(p.waiting) >= p.wanted || p.starting > 0 || busy {
		return false, nil
	}
	if d := time.Until(p.retry); d > 0 {
		return false, time.After(d)
	}
	return true, nil
}

func (p *standbys) update(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
	select {
	case p.woken <- struct{}{}:
	default:
	}
}

// launch makes one, or records why there is none.
func (p *standbys) launch(ctx context.Context) *standby {
	p.mu.Lock()
	p.serial++
	s := &standby{model: p.model, id: fmt.Sprintf("%s#standby%d", p.name, p.serial), since: time.Now()}
	again := p.failures > 0
	p.mu.Unlock()
	m := s.model
	s.scope = lifecycle.Scope{Emit: m.emit, Model: m.id(), Replica: s.id}
	spec, err := s.place(ctx, p.share)
	if err != nil {
		p.update(func() { p.failed(err) }) // who hears of it finds it in the status
		if !again {
			s.scope.Skip(StageStandby, m.env.Redact(err.Error()))
		}
		return nil
	}
	if !again { // what fails again and again is told once
		s.span = s.scope.Begin(StageStandby, "")
	}
	s.ctx, s.cancel = context.WithCancelCause(ctx)
	// A replica that it becomes outlives ctx by its drain.
	s.early = engine.Preload(context.WithoutCancel(ctx), m.engine, spec, m.engineOptions(s.node, s.span, m.opts.Logger))
	s.early.Yield() // to replicas that serve
	p.update(func() {
		p.waiting = append(p.waiting, s)
		if p.model != m {
			s.retire(p.model) // an Update came meanwhile
		}
	})
	return s
}

// watch follows s until it is taken, or ends it.
func (p *standbys) watch(ctx context.Context, s *standby) {
	defer s.cancel(nil)
	select {
	case <-s.early.Idle():
		p.imported(s)
	case <-s.early.Down():
	case <-ctx.Done():
	}
	select {
	case <-s.early.Down():
	case <-ctx.Done():
	}
	if !p.claim(s) {
		return
	}
	left := s.early.Discard(context.WithoutCancel(ctx))
	why := s.early.Err()
	p.update(func() {
		p.left = errors.Join(p.left, left)
		p.remove(s)
		if s.idle && time.Since(s.since) > standbySteady {
			p.failures = 0
		}
		p.failed(why)
	})
	s.over(why)
}

// imported makes s one of those that count.
func (p *standbys) imported(s *standby) {
	p.mu.Lock()
	failures, silent := p.failures, s.span.ID == ""
	p.mu.Unlock()
	span := s.span
	if silent {
		span = s.scope.Begin(StageStandby, fmt.Sprintf("after %d failures", failures))
	}
	taken := false
	p.update(func() {
		if taken = s.claimed; !taken {
			s.idle, s.span, p.lastErr = true, span, nil
		}
	})
	if taken && silent {
		span.Close(nil)
	}
}

// failed counts why, of one that was wanted; the caller holds the lock. Nil is nothing.
func (p *standbys) failed(why error) {
	if why == nil {
		return
	}
	p.failures++
	p.lastErr = why
	p.retry = time.Now().Add(min(standbyRetry, time.Second<<min(p.failures-1, 6)))
}

// claim reports whether s is the caller's from now on.
func (p *standbys) claim(s *standby) (mine bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	mine = !s.claimed
	s.claimed = true
	return mine
}

// remove makes room for another one; the caller holds the lock.
func (p *standbys) remove(s *standby) {
	p.waiting = slices.DeleteFunc(p.waiting, func(o *standby) bool { return o == s })
}

// starts tells that a replica starts, and returns what tells the end of that.
func (p *standbys) starts() (over func()) {
	p.update(func() { p.starting++ })
	return func() { p.update(func() { p.starting-- }) }
}

// take gives st a process that has done what needs no model, else one that is about it, or nil.
func (p *standbys) take(st *startup) *engine.Preloaded {
	var best *standby
	p.update(func() {
		for _, s := range p.waiting {
			select {
			case <-s.early.Down():
				continue
			default:
			}
			if !s.claimed && (best == nil || s.idle && !best.idle) && s.fits(st.model, st.state.Node) {
				best = s
			}
		}
		if best == nil {
			return
		}
		best.claimed = true
		p.remove(best)
		p.adopted[st.scope.Replica] = true
		p.failures, p.lastErr = 0, nil
	})
	if best == nil {
		return nil
	}
	best.cancel(errors.New("taken by " + st.scope.Replica))
	best.early.Adopt(st.engineOptions(st.state.Node, st.scope, st.state.Log), best.id)
	best.over(nil)
	return best.early
}

// forget says that a replica has ended, or has not come from a standby after all.
func (p *standbys) forget(replica string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.adopted, replica)
}

// serve makes them those of m. Those that cannot become its replicas are ended.
func (p *standbys) serve(m *model) {
	p.update(func() {
		p.model, p.failures, p.retry, p.lastErr = m, 0, time.Time{}, nil
		for _, s := range p.waiting {
			s.retire(m)
		}
	})
}

// became reports whether the replica has been a standby.
func (p *standbys) became(replica string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.adopted[replica]
}

// status is nil where none is wanted.
func (p *standbys) status() *StandbyStatus {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.wanted <= 0 {
		return nil
	}
	st := &StandbyStatus{Wanted: p.wanted, Error: p.model.env.Redact(text(p.lastErr))}
	for _, s := range p.waiting {
		switch {
		case s.claimed:
		case s.idle:
			st.Ready++
		default:
			st.Starting++
		}
	}
	return st
}
