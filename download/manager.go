package download

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/spinup-llm/spinup/internal/silence"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
)

const (
	mib = 1 << 20

	defaultStallTimeout = 30 * time.Second
	defaultMinSpeed     = 100_000
	defaultAttempts     = 8
)

// Default is the Manager of a process: what is nil elsewhere means this one, so
// that several deployments share one budget.
var Default = new(Manager)

// A Manager fetches manifests. The zero value is ready to use, and is safe for concurrent
// use once its fields are set. All its calls share one budget.
type Manager struct {
	// Budget is shared with the other Managers that point to it; nil means one of its own.
	Budget *Budget
	// PartSize is the size in bytes of a range; 0 chooses 8 to 64 MiB by what there is to
	// fetch, and 8 MiB where the digest (sha256, git-sha1, md5) needs the bytes in order. What has
	// arrived of a range of a file above 2 MiB is journalled every MiB, whatever the range's size, and the last ranges are split,
	// so that the last bytes come over several connections.
	PartSize int64
	// StallTimeout abandons a try that brings no byte for so long, and one of Resolve inside an answer, where
	// it is the driver's own HTTP client that waits; 0 means 30s.
	StallTimeout time.Duration
	// MinSpeed is the floor, in bytes per second: a range that stays below it for 10s while
	// others are at least four times as fast, or while it is alone, goes on over a new
	// connection; the next time it has twice as long. 0 means 100 kB/s, less than 0 none.
	MinSpeed int64
	// Attempts bounds consecutive tries of a range without a single new byte; 0 means 8.
	Attempts int
	// Logger receives debug records, and warnings of wrong bytes, of services that do not answer and of a file system without
	// locks; nil means slog.Default.
	Logger *slog.Logger

	once     sync.Once
	budget   *Budget
	lockless sync.Once // the warning
	_        struct{}  // no unkeyed literals
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

// Resolve is src.Resolve, tried again while the service is throttled or unavailable. Where ctx
// ends meanwhile, the error is of kind Canceled or Timeout, and tells also why it was tried again.
func (m *Manager) Resolve(ctx context.Context, src source.Source) (*source.Manifest, error) {
	policy := m.policy()
	for {
		man, err := src.Resolve(silence.Within(ctx, m.stallTimeout()))
		if err == nil || ctx.Err() != nil {
			return man, err
		}
		wait, again := policy.next(fromSource(err), 0)
		if !again {
			return nil, err
		}
		m.logger().WarnContext(ctx, "resolve again", slog.Duration("after", wait.Round(time.Millisecond)), slog.Any("error", err))
		if sleep(ctx, wait) != nil {
			return nil, fmt.Errorf("%w, after %w", lifecycle.FromContext(ctx, "download.Resolve", ""), err)
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

// shared returns the budget, ready for use.
func (m *Manager) shared() *Budget {
	m.once.Do(func() {
		if m.budget = m.Budget; m.budget == nil {
			m.budget = new(Budget)
		}
		m.budget.init()
	})
	return m.budget
}

func (m *Manager) stallTimeout() time.Duration {
	if m.StallTimeout > 0 {
		return m.StallTimeout
	}
	return defaultStallTimeout
}

func (m *Manager) minSpeed() int64 {
	if m.MinSpeed != 0 {
		return m.MinSpeed
	}
	return defaultMinSpeed
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
