package download

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/spinup-llm/spinup/source"
	"golang.org/x/time/rate"
)

const (
	mib = 1 << 20

	// bufferSize is what one connection holds in memory. Smaller reads cost CPU, larger
	// ones bring nothing.
	bufferSize = 256 << 10

	defaultConcurrency  = 16
	defaultStallTimeout = 30 * time.Second
	defaultAttempts     = 8
)

// Default is the Manager of a process: what is nil elsewhere means this one, so
// that several deployments share one budget.
var Default = new(Manager)

// A Manager fetches manifests. The zero value is ready to use, and is safe for concurrent
// use once its fields are set. One Manager shares its budget of connections, of the memory
// they need, and of bandwidth among all calls.
type Manager struct {
	// Concurrency bounds the ranges in flight, each with a buffer of 256 KiB; 0 means 16.
	Concurrency int
	// PartSize is the size in bytes of a range; 0 chooses 8 to 64 MiB by what there is to
	// fetch, and at most 16 MiB where the digest (sha256, git-sha1, md5) needs the bytes in
	// order. What has arrived of a range is journalled every MiB, whatever its size.
	PartSize int64
	// StallTimeout abandons a try that brings no byte for so long; 0 means 30s.
	StallTimeout time.Duration
	// Attempts bounds consecutive tries of a range without a single new byte; 0 means 8.
	Attempts int
	// Limit is the rate in bytes per second; 0 means none.
	Limit int64
	// Logger receives debug records, and warnings of wrong bytes; nil means slog.Default.
	Logger *slog.Logger

	once    sync.Once
	buffers chan []byte // a buffer is the permit for one connection; nil until first used
	limiter *rate.Limiter
	_       struct{} // no unkeyed literals
}

// Fetch resolves src, plans, runs, and returns the manifest whose files now lie in dir.
// Other files in dir are left alone.
func (m *Manager) Fetch(ctx context.Context, src source.Source, dir string) (*source.Manifest, error) {
	man, err := m.Resolve(ctx, src)
	if err != nil {
		return nil, err
	}
	plan, err := m.Plan(ctx, man, dir)
	if err != nil {
		return nil, err
	}
	return man, m.finish(ctx, src, plan, nil)
}

// Resolve is src.Resolve, tried again while the service is throttled or unavailable.
func (m *Manager) Resolve(ctx context.Context, src source.Source) (*source.Manifest, error) {
	policy := m.policy()
	for {
		man, err := src.Resolve(ctx)
		if err == nil || ctx.Err() != nil {
			return man, err
		}
		wait, again := policy.next(fromSource(err), 0)
		if !again {
			return nil, err
		}
		m.logger().DebugContext(ctx, "resolve again", slog.Duration("after", wait), slog.Any("error", err))
		if sleep(ctx, wait) != nil {
			return nil, err
		}
	}
}

// finish runs the plan to its end and tells report, which may be nil, about progress.
func (m *Manager) finish(ctx context.Context, src source.Source, plan *Plan, report func(Progress)) error {
	for progress, err := range m.Run(ctx, src, plan) {
		if err != nil {
			return err
		}
		if report != nil {
			report(progress)
		}
	}
	return nil
}

func (m *Manager) init() {
	m.once.Do(func() {
		m.buffers = make(chan []byte, m.concurrency())
		for range cap(m.buffers) {
			m.buffers <- nil
		}
		if m.Limit > 0 {
			m.limiter = rate.NewLimiter(rate.Limit(m.Limit), int(max(bufferSize, m.Limit/4)))
		}
	})
}

// take waits for a connection's share of the budget; give returns it.
func (m *Manager) take(ctx context.Context) ([]byte, error) {
	select {
	case b := <-m.buffers:
		if b == nil {
			b = make([]byte, bufferSize)
		}
		return b, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (m *Manager) give(b []byte) { m.buffers <- b }

// pace waits until n more bytes fit the limit.
func (m *Manager) pace(ctx context.Context, n int) error {
	if m.limiter == nil {
		return nil
	}
	return sleep(ctx, m.limiter.ReserveN(time.Now(), n).Delay())
}

func (m *Manager) concurrency() int {
	if m.Concurrency > 0 {
		return m.Concurrency
	}
	return defaultConcurrency
}

func (m *Manager) stallTimeout() time.Duration {
	if m.StallTimeout > 0 {
		return m.StallTimeout
	}
	return defaultStallTimeout
}

func (m *Manager) policy() retryPolicy {
	if m.Attempts > 0 {
		return retryPolicy{attempts: m.Attempts}
	}
	return retryPolicy{attempts: defaultAttempts}
}

func (m *Manager) logger() *slog.Logger {
	if m.Logger != nil {
		return m.Logger
	}
	return slog.Default() //nolint:forbidigo // the one place that resolves the default
}
