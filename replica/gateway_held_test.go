package replica_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spinup-llm/spinup/replica"
	"github.com/stretchr/testify/require"
)

// large is a request of so many bytes.
func large(size int) string {
	const begin, end = `{"model":"m","prompt":"`, `"}`
	return begin + strings.Repeat("x", size-len(begin)-len(end)) + end
}

// held is a gateway before one engine that answers when it is told to, with room for four
// requests of a MiB.
func held(t *testing.T, answer func(w http.ResponseWriter, r *http.Request)) http.Handler {
	t.Helper()
	m := &memory{handler: func(*memEngine) http.HandlerFunc { return answer }}
	set, _, _ := serving(t, m, 1, nil)
	waitReady(t, set, 1)
	return replica.GatewayVia(&replica.GatewayOptions{MaxBody: 1 << 20, Bodies: 4 << 20, BodyWithin: 10 * time.Second}, m, set)
}

func TestLargeRequestsWaitForRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var now, most, small atomic.Int64
		h := held(t, func(w http.ResponseWriter, r *http.Request) {
			if r.ContentLength < 1<<10 {
				small.Add(1)
				return
			}
			if n := now.Add(1); n > most.Load() {
				most.Store(n)
			}
			time.Sleep(time.Second)
			now.Add(-1)
			n, _ := io.Copy(w, r.Body)
			if n != 1<<20 {
				t.Errorf("%d bytes came", n)
			}
		})
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/completions", strings.NewReader(large(1<<20)))
				if i%2 == 0 {
					r.ContentLength = -1 // chunked
				}
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				if w.Code != http.StatusOK {
					t.Errorf("%d: %s", w.Code, w.Body.String())
				}
			})
		}
		synctest.Wait()
		code := call(t, h, http.MethodPost, "/v1/completions", `{"model":"m"}`).Code
		require.Equal(t, http.StatusOK, code, "a small one does not wait")
		require.Equal(t, int64(1), small.Load())
		wg.Wait()
		require.Equal(t, int64(4), most.Load())
	})
}

func TestALargeRequestWithoutRoomIsToldToComeBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := held(t, func(http.ResponseWriter, *http.Request) { time.Sleep(time.Minute) })
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() { call(t, h, http.MethodPost, "/v1/completions", large(1<<20)) })
		}
		synctest.Wait()
		begun := time.Now()
		refused(t, call(t, h, http.MethodPost, "/v1/completions", large(1<<20)), http.StatusServiceUnavailable, "too_many_bytes")
		require.Equal(t, 10*time.Second, time.Since(begun))
		code := call(t, h, http.MethodPost, "/v1/completions", large(1<<20+1)).Code
		require.Equal(t, http.StatusRequestEntityTooLarge, code, "that is known at once")
		wg.Wait()
		require.Equal(t, http.StatusOK, call(t, h, http.MethodPost, "/v1/completions", large(1<<20)).Code)
	})
}

// TestABegunAnswerHoldsNoRequest has more streams under way than there is room for requests.
func TestABegunAnswerHoldsNoRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		over := make(chan struct{})
		h := held(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, "data: x\n\n")
			_ = http.NewResponseController(w).Flush()
			<-over
		})
		var wg sync.WaitGroup
		for range 12 {
			wg.Go(func() {
				if w := call(t, h, http.MethodPost, "/v1/completions", large(1<<20)); w.Code != http.StatusOK {
					t.Errorf("%d: %s", w.Code, w.Body.String())
				}
			})
			synctest.Wait()
		}
		close(over)
		wg.Wait()
	})
}

// TestALargeRequestIsSentAgainWhole loses the engine in the middle of it.
func TestALargeRequestIsSentAgainWhole(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{handler: func(e *memEngine) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				if e.serial == 1 {
					_, _ = io.CopyN(io.Discard, r.Body, 1<<19)
					e.die(errKilled)
					panic(http.ErrAbortHandler)
				}
				_, _ = io.Copy(w, r.Body)
			}
		}}
		set, _, _ := serving(t, m, 1, nil)
		waitReady(t, set, 1)
		body := large(1 << 20)
		w := call(t, replica.GatewayVia(nil, m, set), http.MethodPost, "/v1/completions", body)
		require.Equal(t, http.StatusOK, w.Code)
		require.Zero(t, strings.Compare(body, w.Body.String()), "which a failure does not print")
	})
}

// TestAnEngineWithoutRoomIsNotTheEnd answers 503 or 429 where an engine has too many requests.
func TestAnEngineWithoutRoomIsNotTheEnd(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusServiceUnavailable, http.StatusTooManyRequests} {
		for _, full := range []int{1, 2} {
			t.Run(fmt.Sprint(status, " from ", full, " of 2"), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					var asked atomic.Int64
					m := &memory{handler: func(e *memEngine) http.HandlerFunc {
						return func(w http.ResponseWriter, r *http.Request) {
							if e.serial <= full {
								asked.Add(1)
								if r.URL.Path == "/tokenize" {
									w.Header().Set("Retry-After", "7")
								}
								w.WriteHeader(status)
							}
							_, _ = fmt.Fprintf(w, `{"error":{"message":"from %d"}}`, e.serial)
						}
					}}
					set, _, _ := serving(t, m, 2, func(o *replica.SetOptions) { o.Pick = replica.RoundRobin() }) // so that each is asked
					waitReady(t, set, 2)
					h := replica.GatewayVia(nil, m, set)
					for range 10 {
						w := call(t, h, http.MethodPost, "/v1/completions", `{"model":"m"}`)
						if full == 1 {
							require.Equal(t, http.StatusOK, w.Code)
							require.JSONEq(t, `{"error":{"message":"from 2"}}`, w.Body.String())
							continue
						}
						require.Equal(t, status, w.Code)
						require.Contains(t, w.Body.String(), "from ", "in the engine's words")
						require.Equal(t, "1", w.Header().Get("Retry-After"))
						require.Equal(t, "7", call(t, h, http.MethodPost, "/tokenize", `{"model":"m"}`).Header().Get("Retry-After"))
					}
					require.Positive(t, asked.Load())
					require.Equal(t, 2, set.Status().Ready, "it serves")
					require.Zero(t, inflight(set))
					require.Equal(t, 2, m.started())
				})
			})
		}
	}
}
