package engine

import (
	"context"
	"net/http"
)

// A Sleeper is an Engine whose process can give the memory of its devices back, and take it
// again later, far sooner than another would start. Optional. It gets ready for that where
// Spec.Sleeps is set, and its Check refuses that where it cannot.
type Sleeper interface {
	Engine
	// SleepPath and WakePath answer a POST once it is done.
	SleepPath() string
	WakePath() string
}

// Sleep has the engine, which must have no requests, give its devices' memory back. Errors
// are those of Alive.
func (p *Process) Sleep(ctx context.Context, s Sleeper) error {
	return p.question(ctx, http.MethodPost, s.SleepPath(), nil, http.StatusBadRequest)
}

// Wake undoes Sleep. Errors are those of Alive.
func (p *Process) Wake(ctx context.Context, s Sleeper) error {
	return p.question(ctx, http.MethodPost, s.WakePath(), nil, http.StatusBadRequest)
}
