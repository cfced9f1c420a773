package replica

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/lifecycle"
)

// A stallWatch tells when to look whether a member gives its requests anything.
type stallWatch struct {
	limit  time.Duration
	ticker *time.Ticker // nil: never
}

// newStallWatch watches only what can be asked: a replica is not replaced on suspicion.
func newStallWatch(m *member) stallWatch {
	limit := m.slot.generation.opts.Limits.Stall
	if _, ok := m.instance.(Checker); !ok || limit < 0 {
		return stallWatch{}
	}
	return stallWatch{limit: limit, ticker: time.NewTicker(max(limit/4, time.Millisecond))}
}

func (w stallWatch) tick() <-chan time.Time {
	if w.ticker == nil {
		return nil
	}
	return w.ticker.C
}

func (w stallWatch) stop() {
	if w.ticker != nil {
		w.ticker.Stop()
	}
}

// stalled takes m out of routing when it has requests and none of them has had a byte for
// limit.
func (s *Set) stalled(m *member, limit time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m.Asleep { // it wakes for its requests: the limit begins after that
		m.busySince = time.Now()
	}
	quiet := min(time.Since(time.Unix(0, m.lastByte.Load())), time.Since(m.busySince))
	if m.Inflight <= m.preparing || quiet < limit || m.Stage != lifecycle.StageReady {
		return false
	}
	m.Stage, m.Since, m.verdict = StageDoubt, time.Now(), &verdict{known: make(chan struct{})}
	return true
}

// examineStall asks m for a small answer of its own: an engine that is only busy gives it,
// goes on with the answers of others, or works on them, and keeps its requests.
func (s *Set) examineStall(ctx context.Context, m *member, scope lifecycle.Scope, limit time.Duration) error {
	before := loadOf(ctx, m)
	err := s.ask(ctx, m, limit, m.instance.(Checker).Answers)
	if errors.Is(err, errSilent) && s.ask(ctx, m, aliveWithin, m.instance.(Checker).Alive) == nil && !stands(before, loadOf(ctx, m)) {
		err = nil
	}
	if err == nil {
		s.mu.Lock()
		m.busySince = time.Now() // the next limit begins
		s.mu.Unlock()
	}
	return s.decide(ctx, m, scope, fmt.Sprintf("no byte of any answer for %v", limit), err)
}

// loadOf is what m's engine tells of its work, nil where it does not.
func loadOf(ctx context.Context, m *member) *engine.Load {
	t, ok := m.instance.(LoadTeller)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, aliveWithin)
	defer cancel()
	if l, err := t.Load(ctx); err == nil {
		return &l
	}
	return nil
}

// stands reports an engine of whose batch nothing has moved: as many requests, with as much
// of the KV cache, which grows with every few tokens. Not where it does not tell.
func stands(before, now *engine.Load) bool {
	if before == nil || now == nil || now.Running > 0 && now.KVUsage == 0 {
		return false
	}
	return before.Running == now.Running && before.KVUsage == now.KVUsage
}
