package spinup

import (
	"context"
	"errors"
	"sync"

	"github.com/spinup-llm/spinup/download"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/replica"
)

// forSet are the model's adapters for its replicas; nil where it has none.
func (a *adapters) forSet() *replica.Adapters {
	if a == nil {
		return nil
	}
	return &replica.Adapters{
		Find:  func(ctx context.Context, name string) error { _, err := a.find(ctx, name); return err },
		Bring: a.bring,
		Max:   a.most(),
	}
}

// leases keep the files of a replica's adapters where the engine may read them again: it may
// hold less in memory than it has loaded. The zero value is ready to use.
type leases struct {
	mu    sync.Mutex
	held  map[string]*download.Lease
	ended bool
}

// add reports false when the replica has ended.
func (l *leases) add(name string, lease *download.Lease) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return false
	}
	if l.held == nil {
		l.held = map[string]*download.Lease{}
	}
	l.held[name] = lease
	return true
}

func (l *leases) take(name string) *download.Lease {
	l.mu.Lock()
	defer l.mu.Unlock()
	lease := l.held[name]
	delete(l.held, name)
	return lease
}

func (l *leases) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	for _, lease := range l.held {
		_ = lease.Close() // nothing is left to do about a lock that cannot be released
	}
	l.held = nil
}

// LoadAdapter implements replica.AdapterLoader. What the engine refuses is remembered.
func (i *instance) LoadAdapter(ctx context.Context, name string) error {
	lease, err := i.adapters.lease(ctx, name, i.state.Spec)
	if err != nil {
		return err
	}
	err = i.process.LoadAdapter(ctx, i.adapters.loader, i.adapters.named(name, lease))
	if err == nil && i.leases.add(name, lease) {
		return nil
	}
	_ = lease.Close() // nothing is left to do about a lock that cannot be released
	if errors.Is(err, lifecycle.Invalid) {
		i.adapters.reject(name, err)
	}
	return err
}

// UnloadAdapter implements replica.AdapterLoader.
func (i *instance) UnloadAdapter(ctx context.Context, name string) error {
	lease := i.leases.take(name)
	if lease == nil {
		return nil
	}
	err := i.process.UnloadAdapter(ctx, i.adapters.loader, i.adapters.named(name, lease))
	return errors.Join(err, lease.Close())
}
