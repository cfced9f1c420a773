package replica

import (
	"context"
	"fmt"
	"time"

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
	quiet := min(time.Since(time.Unix(0, m.lastByte.Load())), time.Since(m.busySince))
	if m.Inflight == 0 || quiet < limit || m.Stage != lifecycle.StageReady {
		return false
	}
	m.Stage, m.Since, m.verdict = StageDoubt, time.Now(), &verdict{known: make(chan struct{})}
	return true
}

// examineStall asks m for a small answer of its own: an engine that is only busy gives it,
// or goes on with the answers of others, and keeps its requests.
func (s *Set) examineStall(ctx context.Context, m *member, scope lifecycle.Scope, limit time.Duration) error {
	err := s.ask(ctx, m, limit, m.instance.(Checker).Answers)
	if err == nil {
		s.mu.Lock()
		m.busySince = time.Now() // the next limit begins
		s.mu.Unlock()
	}
	return s.decide(ctx, m, scope, fmt.Sprintf("no byte of any answer for %v", limit), err)
}
