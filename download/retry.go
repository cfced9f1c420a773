package download

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
)

const (
	firstWait = 250 * time.Millisecond
	longWait  = 10 * time.Second
	// maxRetryAfter is the longest pause a service can ask for; beyond it the error is final. The
	// windows of the hub's limits have 5 minutes, and its driver adds a second.
	maxRetryAfter = 5*time.Minute + 5*time.Second
)

// remote marks an error that came from the source rather than from this machine.
type remote struct {
	err   error
	again bool // trying again can help
}

func (r *remote) Error() string { return r.err.Error() }
func (r *remote) Unwrap() error { return r.err }

// fromSource marks an error of Open, Resolve or a body. What has no kind is taken for a
// failure of the network.
func fromSource(err error) error {
	kind := lifecycle.KindOf(err)
	return &remote{err: err, again: kind.Temporary() || kind == lifecycle.Timeout || kind == lifecycle.Unknown}
}

// retryPolicy counts the consecutive tries that brought nothing.
type retryPolicy struct {
	attempts int
	fails    int
}

// next says whether to try again after err, and how long to wait before. A try that
// brought new bytes starts the count again; one that brought many is not waited for.
func (p *retryPolicy) next(err error, brought int64) (wait time.Duration, again bool) {
	r, ok := errors.AsType[*remote](err)
	if !ok || !r.again {
		return 0, false
	}
	if brought > 0 {
		p.fails = 0
	} else if p.fails++; p.fails >= p.attempts {
		return 0, false
	}
	if brought < mib {
		wait = jitter(min(firstWait<<max(0, min(p.fails-1, 10)), longWait))
	}
	after := source.RetryAfter(err)
	return max(wait, after), after <= maxRetryAfter
}

// jitter keeps many clients that failed together from coming back together.
func jitter(d time.Duration) time.Duration {
	return d/2 + rand.N(d/2+1) //nolint:gosec // no secret depends on it
}

// sleep waits for d or until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// A gate holds all ranges of a run back while the service has asked for a pause.
type gate struct {
	mu    sync.Mutex
	until time.Time
}

func (g *gate) hold(d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if until := time.Now().Add(d); until.After(g.until) {
		g.until = until
	}
}

func (g *gate) wait(ctx context.Context) error {
	for {
		g.mu.Lock()
		left := time.Until(g.until) // it may have become longer
		g.mu.Unlock()
		if err := sleep(ctx, left); err != nil || left <= 0 {
			return err
		}
	}
}
