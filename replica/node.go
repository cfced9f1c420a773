package replica

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/spinup-llm/spinup/lifecycle"
)

// node gets m its place. Where there is none while replicas of the set are on their way out,
// it waits for theirs.
func (s *Set) node(ctx context.Context, m *member, scope lifecycle.Scope) (Node, error) {
	for {
		before, changed := s.leaving()
		n, err := s.provisioner.Acquire(ctx, m.slot.generation.opts.Request, scope)
		if err == nil || before == 0 || !errors.Is(err, lifecycle.NoCapacity) {
			return n, err
		}
		for left := before; left >= before; left, changed = s.leaving() {
			select {
			case <-changed:
			case <-ctx.Done():
				return nil, lifecycle.FromContext(ctx, "replica.Acquire", m.ID)
			}
		}
	}
}

// leaving is the number of members that nobody wants any more, but that may have their nodes.
func (s *Set) leaving() (n int, changed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.members {
		g := m.slot.generation
		if g != s.current && g != s.next || !slices.Contains(g.slots, m.slot) {
			n++
		}
	}
	return n, s.changed
}

// releaseWithin is how long giving a node back may take.
const releaseWithin = time.Minute

// giveBack releases n, also where ctx has ended.
func (s *Set) giveBack(ctx context.Context, n Node) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseWithin)
	defer cancel()
	s.left(s.provisioner.Release(ctx, n))
}
