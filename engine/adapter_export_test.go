package engine

import (
	"context"
	"time"
)

// LoadWithin is LoadAdapter with another limit.
func (p *Process) LoadWithin(ctx context.Context, limit time.Duration, e AdapterLoader, a Adapter) error {
	return p.loadWithin(ctx, limit, e, a)
}
