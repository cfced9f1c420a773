package replica_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/replica"
	"github.com/stretchr/testify/require"
)

// many sends n requests at once and returns their answers, in no order.
func many(t *testing.T, n int, h http.Handler) (wait func() []*httptest.ResponseRecorder) {
	t.Helper()
	var wg sync.WaitGroup
	answers := make([]*httptest.ResponseRecorder, n)
	for i := range n {
		wg.Go(func() { answers[i] = ask(t.Context(), h) })
	}
	return func() []*httptest.ResponseRecorder {
		wg.Wait()
		return answers
	}
}

func refused(t *testing.T, w *httptest.ResponseRecorder, status int, code string) {
	t.Helper()
	require.Equal(t, status, w.Code, w.Body.String())
	seconds, err := strconv.Atoi(w.Header().Get("Retry-After"))
	require.NoError(t, err)
	require.Positive(t, seconds)
	var e apiError
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &e))
	require.Equal(t, code, e.Error.Code)
}

func TestRequestsWaitForTheFirstReplica(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{starts: 2 * time.Minute, handler: ok}
		_, h, _ := serving(t, m, 1, nil)
		for _, w := range many(t, 100, h)() {
			require.Equal(t, http.StatusOK, w.Code)
		}
	})
}

func TestTheQueueIsBoundedInNumberAndTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{starts: time.Hour, handler: ok}
		set, h, _ := serving(t, m, 1, func(o *replica.SetOptions) {
			o.Limits = replica.Limits{Waiting: 3, WaitingFor: time.Minute}
		})
		wait := many(t, 3, h)
		synctest.Wait()
		begun := time.Now()
		refused(t, ask(t.Context(), h), http.StatusServiceUnavailable, "not_ready")
		require.Zero(t, time.Since(begun), "at once")
		for _, w := range wait() {
			refused(t, w, http.StatusServiceUnavailable, "not_ready")
		}
		require.Equal(t, time.Minute, time.Since(begun))
		require.Zero(t, set.Status().Waiting)
	})
}

func TestBeyondTheLimitOfRequestsIs429(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int64
		m := &memory{handler: func(*memEngine) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) {
				n := now.Add(1)
				defer now.Add(-1)
				if n > most.Load() {
					most.Store(n)
				}
				time.Sleep(time.Second)
				_, _ = io.WriteString(w, "ok")
			}
		}}
		set, h, _ := serving(t, m, 2, func(o *replica.SetOptions) {
			o.Limits = replica.Limits{Ongoing: 2, Waiting: 5}
		})
		waitReady(t, set, 2)
		wait := many(t, 9, h)
		synctest.Wait()
		require.Equal(t, 4, set.Status().Ongoing)
		require.Equal(t, 5, set.Status().Waiting)
		refused(t, ask(t.Context(), h), http.StatusTooManyRequests, "too_many_requests")
		for _, w := range wait() {
			require.Equal(t, http.StatusOK, w.Code)
		}
		require.Equal(t, int64(4), most.Load())
		require.Zero(t, set.Status().Ongoing+set.Status().Waiting)
	})
}

// TestCallersAreServedInTurn has one caller with a long queue and one with one request.
func TestCallersAreServedInTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var served atomic.Int64
		m := &memory{handler: func(*memEngine) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) {
				time.Sleep(time.Second)
				_, _ = io.WriteString(w, strconv.FormatInt(served.Add(1), 10))
			}
		}}
		set, h, _ := serving(t, m, 1, func(o *replica.SetOptions) { o.Limits.Ongoing = 1 })
		waitReady(t, set, 1)
		wait := many(t, 50, h)
		synctest.Wait()
		place, err := strconv.Atoi(ask(t.Context(), h, "Authorization", "Bearer other").Body.String())
		require.NoError(t, err)
		require.LessOrEqual(t, place, 3)
		wait()
	})
}

// TestTheCircuitOpens lets a model that has served fail again and again.
func TestTheCircuitOpens(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{handler: ok, fail: func(serial int) error {
			if serial > 1 && serial < 10 {
				return &lifecycle.Error{Op: "engine", Kind: lifecycle.EngineFailed, Hint: "look at the card"}
			}
			return nil
		}}
		set, h, _ := serving(t, m, 1, nil)
		waitReady(t, set, 1)
		m.at(1).die(errKilled)
		for m.started() <= replica.Tripped {
			time.Sleep(100 * time.Millisecond)
		}
		synctest.Wait()
		require.True(t, set.Status().Refusing)
		require.Equal(t, replica.Tripped+1, set.Status().Pauses[0].Failures)
		w := ask(t.Context(), h)
		refused(t, w, http.StatusServiceUnavailable, "not_ready")
		require.Contains(t, w.Body.String(), "look at the card")
		require.NotEqual(t, "1", w.Header().Get("Retry-After"), "it names the next start")
		waitReady(t, set, 1)
		require.Equal(t, http.StatusOK, ask(t.Context(), h).Code, "it never gives up")
	})
}

func TestADeadReplicaIsReplacedAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{handler: ok}
		set, h, _ := serving(t, m, 1, nil)
		waitReady(t, set, 1)
		m.at(1).die(errKilled)
		begun := time.Now()
		require.Equal(t, http.StatusOK, ask(t.Context(), h).Code)
		require.Zero(t, time.Since(begun))
		require.Equal(t, 1, set.Status().Replicas[0].Restarts)
		require.ErrorIs(t, set.Status().Replicas[0].LastErr, lifecycle.EngineFailed)
	})
}

// TestAReplicaThatServedIsReplacedAtOnce has engines die before they had a request: one that
// lived as long as it took to start is no failure in a row.
func TestAReplicaThatServedIsReplacedAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{handler: ok, starts: 3 * time.Second}
		set, _, _ := serving(t, m, 1, nil)
		back := func(lived time.Duration) time.Duration {
			waitReady(t, set, 1)
			time.Sleep(lived)
			died := time.Now()
			m.at(m.started()).die(errKilled)
			synctest.Wait()
			waitReady(t, set, 1)
			return time.Since(died) - m.starts
		}
		for range 5 {
			require.Zero(t, back(4*time.Second))
		}
		require.Zero(t, back(2*time.Second), "a failure in a row, which may be bad luck")
		require.Equal(t, 4*time.Second, back(2*time.Second))
		require.Zero(t, back(4*time.Second), "it is forgotten")
		m.starts = 0
		require.Zero(t, back(900*time.Millisecond))
		require.NotZero(t, back(900*time.Millisecond), "it starts in no time")
	})
}

// TestARequestThatWaitsForAnotherReplicaHoldsUpNobody has one engine that breaks off one
// request, which waits from then on for the other replica.
func TestARequestThatWaitsForAnotherReplicaHoldsUpNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{handler: func(e *memEngine) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				if e.serial == 1 && r.Header.Get("Bad") != "" {
					panic(http.ErrAbortHandler)
				}
				time.Sleep(time.Second)
				_, _ = io.WriteString(w, "ok")
			}
		}}
		set, h, _ := serving(t, m, 1, func(o *replica.SetOptions) { o.Limits.Ongoing = 1 })
		waitReady(t, set, 1)
		m.starts = time.Minute
		set.Want(2)
		synctest.Wait()
		waiting := make(chan int, 1)
		go func() { waiting <- ask(t.Context(), h, "Bad", "1").Code }()
		synctest.Wait()
		require.Equal(t, 1, set.Status().Waiting)
		begun := time.Now()
		wait := many(t, 3, h)
		require.Equal(t, http.StatusOK, ask(t.Context(), h, "Authorization", "Bearer other").Code)
		for _, w := range wait() {
			require.Equal(t, http.StatusOK, w.Code)
		}
		require.Equal(t, 4*time.Second, time.Since(begun))
		require.Equal(t, http.StatusOK, <-waiting)
		require.Equal(t, 2, m.started())
	})
}
