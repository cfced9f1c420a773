package replica_test

import (
	"context"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/replica"
	"github.com/stretchr/testify/require"
)

// slow answers after a second.
func slow(*memEngine) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(time.Second)
		_, _ = io.WriteString(w, "ok")
	}
}

func TestScaleFromZeroOnTheFirstRequestAndBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{starts: 90 * time.Second, handler: slow}
		set, h, _ := serving(t, m, 0, func(o *replica.SetOptions) {
			o.Scale = &replica.Scaling{Max: 4, Target: 2, ToZeroDelay: 5 * time.Minute}
		})
		time.Sleep(time.Hour)
		require.Zero(t, m.started(), "nothing runs without a request")
		begun := time.Now()
		require.Equal(t, http.StatusOK, ask(t.Context(), h).Code)
		require.Equal(t, 91*time.Second, time.Since(begun), "the start and the answer, nothing else")
		time.Sleep(6 * time.Minute)
		require.Zero(t, set.Status().Wanted)
		require.Empty(t, set.Status().Replicas)
		require.Equal(t, http.StatusOK, ask(t.Context(), h).Code, "and again")
		require.Equal(t, 2, m.started())
	})
}

// A request that may not wait is refused, and has the model there for those that come later.
func TestARefusedRequestScalesFromZero(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{starts: 90 * time.Second, handler: slow}
		set, h, _ := serving(t, m, 0, func(o *replica.SetOptions) {
			o.Scale, o.Limits.WaitingFor = &replica.Scaling{}, -1
		})
		refused(t, ask(t.Context(), h), http.StatusServiceUnavailable, "not_ready")
		time.Sleep(91 * time.Second)
		require.Equal(t, http.StatusOK, ask(t.Context(), h).Code)
		time.Sleep(time.Hour)
		require.Zero(t, set.Status().Wanted, "it was one request")
	})
}

// TestABurstScalesUpAndDownWithoutAnError sends 8 requests at a time for ten minutes.
func TestABurstScalesUpAndDownWithoutAnError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{starts: time.Minute, handler: slow}
		set, h, _ := serving(t, m, 0, func(o *replica.SetOptions) {
			o.Scale = &replica.Scaling{Min: 1, Max: 4, Target: 2}
			o.Limits.Ongoing = 3
		})
		var sent, failed atomic.Int64
		client := func(ctx context.Context) {
			for ctx.Err() == nil {
				sent.Add(1)
				if ask(t.Context(), h).Code != http.StatusOK {
					failed.Add(1)
				}
			}
		}
		load := func(clients int, d time.Duration) {
			ctx, cancel := context.WithTimeout(t.Context(), d)
			defer cancel()
			var wg sync.WaitGroup
			for range clients {
				wg.Go(func() { client(ctx) })
			}
			wg.Wait()
		}
		load(1, 3*time.Minute)
		require.Equal(t, 1, set.Status().Wanted)
		load(8, 10*time.Minute)
		require.Equal(t, 4, set.Status().Ready)
		load(1, 30*time.Minute)
		require.Equal(t, 1, set.Status().Wanted)
		require.Len(t, set.Status().Replicas, 1)
		require.Equal(t, 4, m.peak)
		require.Zero(t, failed.Load(), "of %d", sent.Load())
	})
}

// TestAPolicySeesTheLoad checks that a moment's burst between two decisions is averaged, not
// missed and not taken for the rule.
func TestAPolicySeesTheLoad(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var seen []replica.Load
		m := &memory{handler: slow}
		set, h, _ := serving(t, m, 0, func(o *replica.SetOptions) {
			o.Scale = &replica.Scaling{Min: 1, Max: 4, Policy: func(l replica.Load) int {
				seen = append(seen, l)
				return 1
			}}
		})
		waitReady(t, set, 1)
		time.Sleep(15 * time.Second)
		many(t, 6, h)() // 6 request-seconds, from 15 to 16 s
		time.Sleep(30 * time.Second)
		synctest.Wait()
		require.Len(t, seen, 4)
		for i, want := range []float64{0, 0.6, 0.3, 0.2} { // at 10, 20, 30 and 40 s; of the last 10, 10, 20 and 30
			require.InDelta(t, want, seen[i].Ongoing, 1e-9, i)
			require.Equal(t, 1, seen[i].Ready)
			require.Equal(t, []replica.EngineLoad{{Replica: "m#1", Load: engine.Load{Running: 1, KVUsage: .5}}}, seen[i].Engines)
		}
	})
}

func TestAggregates(t *testing.T) {
	t.Parallel()
	for how, want := range map[string]float64{"max": 6, "min": 0} {
		synctest.Test(t, func(t *testing.T) {
			var seen []float64
			m := &memory{handler: slow}
			set, h, _ := serving(t, m, 0, func(o *replica.SetOptions) {
				o.Scale = &replica.Scaling{Min: 1, Max: 4, Aggregate: how, Policy: func(l replica.Load) int {
					seen = append(seen, l.Ongoing)
					return 1
				}}
			})
			waitReady(t, set, 1)
			time.Sleep(15 * time.Second)
			many(t, 6, h)()
			time.Sleep(5 * time.Second)
			synctest.Wait()
			require.InDelta(t, want, seen[1], 0)
		})
	}
}

// TestAnUpdateEndsTheOldScaling replaces scaling by a policy, in the middle of an interval
// and while the policy decides, by none and a fixed number.
func TestAnUpdateEndsTheOldScaling(t *testing.T) {
	t.Parallel()
	for name, thinks := range map[string]time.Duration{"within an interval": 0, "while it decides": 6 * time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := &memory{handler: ok}
				set, _, _ := serving(t, m, 0, func(o *replica.SetOptions) {
					o.Scale = &replica.Scaling{Min: 1, Max: 9, UpscaleDelay: -1, Policy: func(replica.Load) int {
						time.Sleep(thinks)
						return 9
					}}
				})
				waitReady(t, set, 1)
				time.Sleep(8*time.Second + thinks)
				require.NoError(t, set.Update(t.Context(), 2, m.start, nil))
				time.Sleep(time.Minute)
				require.Equal(t, 2, set.Status().Wanted)
			})
		})
	}
}

// TestATrendDoesNotOutliveAnUpdate has one scaling want more for 25 s of 30, and then another
// that wants more too.
func TestATrendDoesNotOutliveAnUpdate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{handler: ok}
		more := &replica.Scaling{Min: 1, Max: 2, Policy: func(replica.Load) int { return 2 }}
		set, _, _ := serving(t, m, 0, func(o *replica.SetOptions) { o.Scale = more })
		waitReady(t, set, 1)
		time.Sleep(35 * time.Second)
		require.NoError(t, set.Update(t.Context(), -1, m.start, &replica.SetOptions{Scale: more}))
		time.Sleep(25 * time.Second)
		require.Equal(t, 1, set.Status().Wanted)
		time.Sleep(25 * time.Second)
		require.Equal(t, 2, set.Status().Wanted)
	})
}
