package spinup

import "context"

// The runner of hooks is tested from outside by these names.
type Hooks = hooks

var NewHooks = newHooks

func (h *hooks) Run(ctx context.Context, name string, s *ReplicaState, call func(Callback) error) error {
	return h.run(ctx, name, s, call)
}

func (h *hooks) None() bool { return h.none() }

func (h *hooks) Independent() bool { return h.independent() }
