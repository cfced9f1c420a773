package download_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spinup-llm/spinup/download"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

func unavailable() error {
	return &lifecycle.Error{Op: "mem.Open", Kind: lifecycle.Unavailable, Err: errors.New("503")}
}

// flipped is data with one bit changed in the middle.
func flipped(data []byte) []byte {
	c := bytes.Clone(data)
	c[len(c)/2] ^= 1
	return c
}

func weights(algorithm string) *memory {
	return newMemory(map[string][]byte{"weights": random(1, 6*mib+5), "config.json": []byte("{}")}, algorithm)
}

func TestFaultsThatAreSurvived(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(s *memory, c call) (io.ReadCloser, error){
		"unavailable six times": func(_ *memory, c call) (io.ReadCloser, error) {
			if c.try <= 6 {
				return nil, unavailable()
			}
			return nil, nil
		},
		"a network error without a kind": func(_ *memory, c call) (io.ReadCloser, error) {
			if c.try == 1 {
				return nil, errReset
			}
			return nil, nil
		},
		"cut after every 100 kB": func(s *memory, c call) (io.ReadCloser, error) {
			return s.body(cutAfter(c.data, 100_000)), nil
		},
		"ends early": func(s *memory, c call) (io.ReadCloser, error) {
			return s.body(bytes.NewReader(c.data[:(len(c.data)+1)/2])), nil
		},
		"one byte at a time, then cut": func(s *memory, c call) (io.ReadCloser, error) {
			if len(c.data) < 20 || c.off%mib != 0 {
				return nil, nil
			}
			return s.body(io.MultiReader(bytes.NewReader(c.data[:1]), bytes.NewReader(c.data[1:2]), broken{})), nil
		},
		"hangs once": func(_ *memory, c call) (io.ReadCloser, error) {
			if c.try == 1 && c.off == 0 {
				return hanging{c.ctx}, nil
			}
			return nil, nil
		},
		"hangs after some bytes": func(s *memory, c call) (io.ReadCloser, error) {
			if c.try == 1 && c.off == 0 && len(c.data) > 1000 {
				return s.body(io.MultiReader(bytes.NewReader(c.data[:1000]), hanging{c.ctx})), nil
			}
			return nil, nil
		},
		"seven refusals between any two pieces": func(s *memory, c call) (io.ReadCloser, error) {
			if c.try <= 7 {
				return nil, unavailable()
			}
			return s.body(cutAfter(c.data, 300_000)), nil
		},
		"hangs in Open once": func(_ *memory, c call) (io.ReadCloser, error) {
			if c.try == 1 && c.off == 0 {
				<-c.ctx.Done()
				return nil, lifecycle.FromContext(c.ctx, "mem.Open", c.file.Path)
			}
			return nil, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				src := weights("sha256")
				src.fault = func(c call) (io.ReadCloser, error) { return fault(src, c) }
				_, err := (&download.Manager{PartSize: mib}).Fetch(t.Context(), src, dir)
				require.NoError(t, err)
				requireFiles(t, dir, src.data)
				require.Equal(t, int64(6*mib+7), src.served, "no byte is fetched twice")
			})
		})
	}
}

func TestWrongBytesOnce(t *testing.T) {
	t.Parallel()
	for _, algorithm := range []string{"sha256", "crc64nvme", "crc32c", "md5"} {
		t.Run(algorithm, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			src, dir := weights(algorithm), t.TempDir()
			src.fault = func(c call) (io.ReadCloser, error) {
				if c.off == 2*mib && c.try == 1 {
					return io.NopCloser(bytes.NewReader(flipped(c.data))), nil
				}
				return nil, nil
			}
			m := &download.Manager{PartSize: mib, Logger: slog.New(slog.NewTextHandler(&log, nil))}
			_, err := m.Fetch(t.Context(), src, dir)
			require.NoError(t, err)
			requireFiles(t, dir, src.data)
			require.Empty(t, unfinished(t, dir))
			require.Contains(t, log.String(), "wrong bytes")
		})
	}
}

func TestWrongBytesAlways(t *testing.T) {
	t.Parallel()
	for _, algorithm := range []string{"sha256", "crc64nvme", "git-sha1"} {
		t.Run(algorithm, func(t *testing.T) {
			t.Parallel()
			src, dir := weights(algorithm), t.TempDir()
			src.fault = func(c call) (io.ReadCloser, error) {
				if c.file.Path == "weights" && c.off == 0 {
					return io.NopCloser(bytes.NewReader(flipped(c.data))), nil
				}
				return nil, nil
			}
			_, err := (&download.Manager{PartSize: mib}).Fetch(t.Context(), src, dir)
			require.ErrorIs(t, err, lifecycle.Corrupt)
			require.ErrorContains(t, err, "weights")
			require.ErrorContains(t, err, "expected "+digest(algorithm, src.data["weights"]).String())
			require.ErrorContains(t, err, "got "+algorithm+":")
			require.NotContains(t, visible(t, dir), "weights")
			require.Empty(t, unfinished(t, dir), "what is wrong is not kept")
		})
	}
}

func TestBodiesOfTheWrongLength(t *testing.T) {
	t.Parallel()
	longer := func(always bool) func(call) (io.ReadCloser, error) {
		return func(c call) (io.ReadCloser, error) {
			if c.file.Path == "weights" && c.off == mib && (always || c.try == 1) {
				return io.NopCloser(io.MultiReader(bytes.NewReader(flipped(c.data)), strings.NewReader("x"))), nil
			}
			return nil, nil
		}
	}
	for _, algorithm := range []string{"", "sha256", "crc32c"} {
		t.Run("longer once "+algorithm, func(t *testing.T) {
			t.Parallel()
			src, dir := weights(algorithm), t.TempDir()
			src.fault = longer(false)
			_, err := (&download.Manager{PartSize: mib}).Fetch(t.Context(), src, dir)
			require.NoError(t, err)
			requireFiles(t, dir, src.data)
			require.Equal(t, 1+7+1, src.opens(), "only the part with the wrong body is fetched again")
		})
	}
	t.Run("longer always", func(t *testing.T) {
		t.Parallel()
		src, dir := weights(""), t.TempDir()
		src.fault = longer(true)
		_, err := (&download.Manager{PartSize: mib}).Fetch(t.Context(), src, dir)
		require.ErrorIs(t, err, lifecycle.Corrupt)
		require.NotContains(t, visible(t, dir), "weights")
	})
	t.Run("shorter always", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		synctest.Test(t, func(t *testing.T) {
			src := weights("sha256")
			src.fault = func(c call) (io.ReadCloser, error) {
				end := max(0, min(c.off+c.n, 3*mib)-c.off)
				return io.NopCloser(bytes.NewReader(c.data[:min(end, int64(len(c.data)))])), nil
			}
			_, err := (&download.Manager{PartSize: mib}).Fetch(t.Context(), src, dir)
			require.ErrorIs(t, err, lifecycle.Corrupt)
			require.ErrorContains(t, err, "weights")
			require.NotContains(t, visible(t, dir), "weights")
		})
	})
}

func TestErrorsThatLast(t *testing.T) {
	t.Parallel()
	denied := &lifecycle.Error{Op: "mem.Open", Kind: lifecycle.AccessDenied, Hint: "grant s3:GetObject"}
	for name, tt := range map[string]struct {
		fault func(c call) (io.ReadCloser, error)
		kind  lifecycle.Kind
		opens int
	}{
		"denied":      {func(call) (io.ReadCloser, error) { return nil, denied }, lifecycle.AccessDenied, 1},
		"changed":     {func(call) (io.ReadCloser, error) { return nil, &lifecycle.Error{Kind: lifecycle.Corrupt} }, lifecycle.Corrupt, 1},
		"unavailable": {func(call) (io.ReadCloser, error) { return nil, unavailable() }, lifecycle.Unavailable, 8},
		"reset":       {func(call) (io.ReadCloser, error) { return io.NopCloser(broken{}), nil }, lifecycle.Unavailable, 8},
		"stalled":     {func(c call) (io.ReadCloser, error) { return hanging{c.ctx}, nil }, lifecycle.Timeout, 8},
		"asked to wait an hour": {func(call) (io.ReadCloser, error) {
			return nil, source.WithRetryAfter(&lifecycle.Error{Kind: lifecycle.Throttled}, time.Hour)
		}, lifecycle.Throttled, 1},
		"asked to wait for a window of the hub": {func(call) (io.ReadCloser, error) {
			return nil, source.WithRetryAfter(&lifecycle.Error{Kind: lifecycle.Throttled}, 301*time.Second)
		}, lifecycle.Throttled, 8},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				src := newMemory(map[string][]byte{"weights": random(1, 1000)}, "")
				src.fault = tt.fault
				_, err := new(download.Manager).Fetch(t.Context(), src, dir)
				require.Equal(t, tt.kind, lifecycle.KindOf(err), "%v", err)
				require.Equal(t, tt.opens, src.opens())
				require.Empty(t, visible(t, dir))
			})
		})
	}
}

func TestRetryAfterHoldsAllRanges(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		src := newMemory(map[string][]byte{"weights": random(1, 8*mib)}, "crc32c")
		var mu sync.Mutex
		var asked time.Time
		src.fault = func(call) (io.ReadCloser, error) {
			mu.Lock()
			defer mu.Unlock()
			if asked.IsZero() {
				asked = time.Now()
				return nil, source.WithRetryAfter(&lifecycle.Error{Kind: lifecycle.Throttled}, 7*time.Second)
			}
			return nil, nil
		}
		_, err := (&download.Manager{PartSize: mib, Budget: &download.Budget{Connections: 1}}).Fetch(t.Context(), src, dir)
		require.NoError(t, err)
		require.GreaterOrEqual(t, time.Since(asked), 7*time.Second)

		// Other ranges, which were not told themselves, wait too.
		asked = time.Time{}
		src.calls = nil
		started := make([]time.Time, 0, 64)
		inner := src.fault
		src.fault = func(c call) (io.ReadCloser, error) {
			body, innerErr := inner(c)
			mu.Lock()
			started = append(started, time.Now())
			mu.Unlock()
			if innerErr == nil {
				time.Sleep(time.Second) // which passes when the refusal has been heard
			}
			return body, innerErr
		}
		_, err = (&download.Manager{PartSize: mib, Budget: &download.Budget{Connections: 2}}).Fetch(t.Context(), src, dir+"/2")
		require.NoError(t, err)
		early := 0
		for _, at := range started {
			if at.Sub(asked) < 7*time.Second {
				early++
			}
		}
		require.LessOrEqual(t, early, 2, "only what was under way already")
	})
}

func TestResolveIsTriedAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		src := &moody{memory: weights("sha256"), fails: 3, err: unavailable()}
		_, err := new(download.Manager).Fetch(t.Context(), src, dir)
		require.NoError(t, err)
		src = &moody{memory: weights("sha256"), fails: 1, err: &lifecycle.Error{Kind: lifecycle.NotFound}}
		_, err = new(download.Manager).Fetch(t.Context(), src, dir)
		require.ErrorIs(t, err, lifecycle.NotFound)
	})
}

// Whose context ends while it waits to ask again hears that, and what it waited for.
func TestResolveEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		src := &moody{memory: weights("sha256"), fails: 100, err: unavailable()}
		for kind, begin := range map[lifecycle.Kind]func(context.Context) (context.Context, context.CancelFunc){
			lifecycle.Timeout: func(ctx context.Context) (context.Context, context.CancelFunc) {
				return context.WithTimeout(ctx, 100*time.Millisecond)
			},
			lifecycle.Canceled: func(ctx context.Context) (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancel(ctx)
				time.AfterFunc(100*time.Millisecond, cancel)
				return ctx, cancel
			},
		} {
			ctx, cancel := begin(t.Context())
			_, err := new(download.Manager).Resolve(ctx, src)
			cancel()
			require.Equal(t, kind, lifecycle.KindOf(err), "%v", err)
			require.ErrorIs(t, err, context.Cause(ctx))
			require.ErrorContains(t, err, "503")
		}
	})
}

// A link that is slow for all is not given up: each new connection gets more time.
func TestSlowIsNotStalled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		src := newMemory(map[string][]byte{"weights": random(1, 1000)}, "sha256")
		src.fault = func(c call) (io.ReadCloser, error) {
			return io.NopCloser(&slow{data: c.data, pause: 29 * time.Second}), nil
		}
		_, err := new(download.Manager).Fetch(t.Context(), src, dir)
		require.NoError(t, err)
		require.LessOrEqual(t, src.opens(), 5, "10s, 20s, 40s … for each try")
	})
}

// A pause that becomes longer is kept by those who wait in it already.
func TestALongerRetryAfterHoldsThoseWhoWait(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		src := newMemory(map[string][]byte{"weights": random(1, 8*mib)}, "crc32c")
		start := time.Now()
		var mu sync.Mutex
		var asked []time.Duration
		second := make(chan struct{})
		src.fault = func(call) (io.ReadCloser, error) {
			mu.Lock()
			asked = append(asked, time.Since(start))
			n := len(asked)
			mu.Unlock()
			switch n {
			case 1:
				<-second
				return nil, source.WithRetryAfter(&lifecycle.Error{Kind: lifecycle.Throttled}, 7*time.Second)
			case 2:
				close(second)
				time.Sleep(time.Second)
				return nil, source.WithRetryAfter(&lifecycle.Error{Kind: lifecycle.Throttled}, 30*time.Second)
			default:
				return nil, nil
			}
		}
		_, err := (&download.Manager{PartSize: mib, Budget: &download.Budget{Connections: 2}}).Fetch(t.Context(), src, dir)
		require.NoError(t, err)
		for _, at := range asked[2:] {
			require.GreaterOrEqual(t, at, 31*time.Second)
		}
	})
}

// What a service asks of one download, others from the same origin do too; those from another
// do not.
func TestRetryAfterHoldsTheOrigin(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		budget := new(download.Budget)
		fetch := func(uri string, fault func(call) (io.ReadCloser, error)) time.Duration {
			src := newMemory(map[string][]byte{"weights": random(1, 1000)}, "crc32c")
			src.uri, src.fault = uri, fault
			start := time.Now()
			_, err := (&download.Manager{Budget: budget}).Fetch(t.Context(), src, filepath.Join(dir, rand.Text()))
			require.NoError(t, err)
			return time.Since(start)
		}
		var group errgroup.Group
		refused := make(chan struct{})
		group.Go(func() error {
			fetch("mem://one/a", func(c call) (io.ReadCloser, error) {
				if c.try > 1 {
					return nil, nil
				}
				time.AfterFunc(time.Second, func() { close(refused) })
				return nil, source.WithRetryAfter(unavailable(), 7*time.Second)
			})
			return nil
		})
		<-refused
		require.InDelta(t, 6, fetch("mem://one/b", nil).Seconds(), 0.5)
		require.NoError(t, group.Wait())
		require.Zero(t, fetch("mem://two/a", nil))
	})
}
