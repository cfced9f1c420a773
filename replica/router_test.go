package replica_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/replica"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// events writes parts as a stream and then breaks the connection.
func events(cut bool, parts ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		w.WriteHeader(http.StatusOK)
		for _, p := range parts {
			_, _ = io.WriteString(w, p)
		}
		if cut {
			panic(http.ErrAbortHandler)
		}
	}
}

func TestACutStreamEndsWithAnErrorEvent(t *testing.T) {
	t.Parallel()
	for _, begun := range []string{"data: {\"a\":1}\n\n", "data: {\"a\":1}\n\ndata: {\"unfini", "data: {\"a\":1}\n"} {
		synctest.Test(t, func(t *testing.T) {
			m := &memory{handler: func(*memEngine) http.HandlerFunc { return events(true, begun) }}
			set, h, _ := serving(t, m, 1, nil)
			waitReady(t, set, 1)
			body := ask(t.Context(), h).Body.String()
			seen := begun[:strings.LastIndex(begun, "\n")+1]
			require.True(t, strings.HasPrefix(body, seen+"\ndata: "), body)
			require.True(t, strings.HasSuffix(body, "}\n\n"))
			var e apiError
			require.NoError(t, json.Unmarshal([]byte(strings.TrimPrefix(body, seen+"\ndata: ")), &e))
			require.Equal(t, "engine_error", e.Error.Code)
			require.Equal(t, "server_error", e.Error.Type)
			require.NotEmpty(t, e.Error.Message)
		})
	}
}

func TestStreamsPassByteForByte(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		parts := rapid.SliceOf(rapid.StringMatching(`[a\n]{0,9}`)).Draw(rt, "parts")
		synctest.Test(t, func(t *testing.T) {
			m := &memory{handler: func(*memEngine) http.HandlerFunc { return events(false, parts...) }}
			set, h, _ := serving(t, m, 1, nil)
			waitReady(t, set, 1)
			if got, want := ask(t.Context(), h).Body.String(), strings.Join(parts, ""); got != want {
				rt.Fatalf("got %q, want %q", got, want)
			}
		})
	})
}

// TestNoByteYetMeansAnotherReplica breaks the connection in each way there is before a byte.
func TestNoByteYetMeansAnotherReplica(t *testing.T) {
	t.Parallel()
	for name, failing := range map[string]func(e *memEngine) http.HandlerFunc{
		"cut before the header": func(*memEngine) http.HandlerFunc {
			return func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
		},
		"cut after the header": func(*memEngine) http.HandlerFunc { return events(true) },
		"dies": func(e *memEngine) http.HandlerFunc {
			return func(_ http.ResponseWriter, r *http.Request) {
				e.die(errKilled)
				<-r.Context().Done()
			}
		},
		"500 of a dying engine": func(e *memEngine) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) {
				e.set(func(e *memEngine) { e.sick = errKilled })
				w.WriteHeader(http.StatusInternalServerError)
			}
		},
		"stream of a dying engine": func(e *memEngine) http.HandlerFunc {
			e.set(func(e *memEngine) { e.sick = errKilled })
			return events(false, `data: {"error":{"message":"EngineDeadError"}}`+"\n\n")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var failed atomic.Int64
				m := &memory{handler: func(e *memEngine) http.HandlerFunc {
					if e.serial == 1 {
						failed.Add(1)
						return failing(e)
					}
					return ok(e)
				}}
				set, h, _ := serving(t, m, 2, nil)
				waitReady(t, set, 2)
				for range 20 {
					require.Equal(t, http.StatusOK, ask(t.Context(), h).Code)
				}
				require.Positive(t, failed.Load(), "the bad one was asked")
			})
		})
	}
}

// TestADyingEngineIsEjectedAtOnce is Ray's black hole: the dead engine answers fastest.
func TestADyingEngineIsEjectedAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var bad atomic.Int64
		m := &memory{starts: time.Minute, handler: func(e *memEngine) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) {
				if e.serial == 1 {
					bad.Add(1)
					e.set(func(e *memEngine) { e.sick = errKilled })
					w.WriteHeader(http.StatusInternalServerError)
				}
				_, _ = io.WriteString(w, "ok")
			}
		}}
		set, h, log := serving(t, m, 2, nil)
		waitReady(t, set, 2)
		for range 100 {
			require.Equal(t, http.StatusOK, ask(t.Context(), h).Code)
		}
		require.Equal(t, int64(1), bad.Load(), "it got no second request")
		synctest.Wait()
		require.Equal(t, 1, m.at(1).stops, "it was ended")
		waitReady(t, set, 2)
		require.ErrorIs(t, failureOf(log, replica.StageDoubt), lifecycle.EngineFailed)
	})
}

func failureOf(log *lifecycle.Log, stage lifecycle.Stage) error {
	for _, e := range log.Snapshot() {
		if e.Stage == stage && e.Phase == lifecycle.Fail {
			return e.Err
		}
	}
	return nil
}

func TestA500OfALivingEngineIsItsAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		m := &memory{handler: func(*memEngine) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) {
				asked.Add(1)
				w.WriteHeader(http.StatusInternalServerError)
				_, _ = io.WriteString(w, "mine")
			}
		}}
		set, h, _ := serving(t, m, 2, nil)
		waitReady(t, set, 2)
		w := ask(t.Context(), h)
		require.Equal(t, http.StatusInternalServerError, w.Code)
		require.Equal(t, "mine", w.Body.String())
		require.Equal(t, int64(1), asked.Load())
		require.Equal(t, 2, set.Status().Ready)
	})
}

func TestARequestThatKillsEnginesMeetsFiveAtMost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var killed atomic.Int64
		m := &memory{handler: func(e *memEngine) http.HandlerFunc {
			return func(http.ResponseWriter, *http.Request) {
				killed.Add(1)
				e.die(errKilled)
				panic(http.ErrAbortHandler)
			}
		}}
		set, h, _ := serving(t, m, 8, nil)
		waitReady(t, set, 8)
		require.Equal(t, http.StatusBadGateway, ask(t.Context(), h).Code)
		require.Equal(t, int64(5), killed.Load())
	})
}

// TestAStalledEngineIsReplaced has an engine accept a request and then do nothing at all.
func TestAStalledEngineIsReplaced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{handler: func(e *memEngine) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				if e.serial == 1 {
					e.set(func(e *memEngine) { e.hangs = true })
					<-r.Context().Done()
					return
				}
				_, _ = io.WriteString(w, "ok")
			}
		}}
		set, h, _ := serving(t, m, 1, func(o *replica.SetOptions) { o.Limits.Stall = 20 * time.Second })
		waitReady(t, set, 1)
		begun := time.Now()
		require.Equal(t, http.StatusOK, ask(t.Context(), h).Code, "answered by the replacement")
		require.LessOrEqual(t, time.Since(begun), time.Minute)
		require.Equal(t, 2, m.started())
		require.ErrorContains(t, set.LastErr(), "no sign of life")
	})
}

func TestABusyEngineIsNotKilled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{handler: func(*memEngine) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) {
				time.Sleep(time.Hour)
				_, _ = io.WriteString(w, "late")
			}
		}}
		set, h, _ := serving(t, m, 1, nil)
		waitReady(t, set, 1)
		require.Equal(t, "late", ask(t.Context(), h).Body.String())
		require.Equal(t, 1, m.started())
		require.Zero(t, m.at(1).stops)
	})
}

func TestARequestHasADeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{handler: func(*memEngine) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Begin") != "" {
					w.Header().Set("Content-Type", "text/event-stream")
					_, _ = io.WriteString(w, "data: 1\n\n")
				}
				<-r.Context().Done()
				panic(http.ErrAbortHandler) // what is cut is no end
			}
		}}
		set, h, _ := serving(t, m, 1, func(o *replica.SetOptions) { o.Limits.Request = time.Second })
		waitReady(t, set, 1)
		w := ask(t.Context(), h)
		require.Equal(t, http.StatusGatewayTimeout, w.Code)
		require.Contains(t, w.Body.String(), `"timeout"`)
		w = ask(t.Context(), h, "Begin", "1")
		require.Equal(t, http.StatusOK, w.Code)
		require.Contains(t, w.Body.String(), "data: 1\n\n\ndata: {\"error\":")
		synctest.Wait()
		require.Zero(t, set.Status().Ongoing)
		require.Equal(t, 1, m.started(), "the engine is not to blame")
	})
}

func TestAClientThatLeavesFreesItsPlace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{starts: time.Hour, handler: ok}
		set, h, _ := serving(t, m, 1, func(o *replica.SetOptions) { o.Limits.WaitingFor = 2 * time.Hour })
		ctx, cancel := context.WithCancelCause(t.Context())
		var w *httptest.ResponseRecorder
		done := make(chan struct{})
		go func() {
			defer close(done)
			w = ask(ctx, h)
		}()
		synctest.Wait()
		require.Equal(t, 1, set.Status().Waiting)
		cancel(errors.New("gone"))
		<-done
		require.Equal(t, 499, w.Code)
		require.Zero(t, set.Status().Waiting)
	})
}

// TestARequestWaitsForTheReplicaThatComes breaks a request on the one replica that is ready
// while another starts.
func TestARequestWaitsForTheReplicaThatComes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{handler: func(e *memEngine) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) {
				if e.serial == 1 {
					panic(http.ErrAbortHandler)
				}
				_, _ = io.WriteString(w, "ok")
			}
		}}
		set, h, _ := serving(t, m, 1, nil)
		waitReady(t, set, 1)
		require.Equal(t, http.StatusBadGateway, ask(t.Context(), h).Code, "nothing else is to come")
		m.starts = time.Minute
		set.Want(2)
		synctest.Wait()
		require.Equal(t, http.StatusOK, ask(t.Context(), h).Code)
	})
}

// TestANewDoubtDoesNotSpoilTheVerdictOnTheOld has a living engine answer many requests with
// 500, one doubt after another.
func TestANewDoubtDoesNotSpoilTheVerdictOnTheOld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{handler: func(*memEngine) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) {
				time.Sleep(time.Second)
				w.WriteHeader(http.StatusInternalServerError)
				_, _ = io.WriteString(w, "mine")
			}
		}}
		set, h, _ := serving(t, m, 1, nil)
		waitReady(t, set, 1)
		for _, w := range many(t, 500, h)() {
			require.Equal(t, "mine", w.Body.String())
		}
		require.Equal(t, 1, m.started())
	})
}

// TestAFailureOfOurSideIsNotTheEngines cannot make a connection, for a reason of this side.
func TestAFailureOfOurSideIsNotTheEngines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{handler: ok}
		var asked atomic.Int64
		undialled := roundTrip(func(*http.Request) (*http.Response, error) {
			asked.Add(1)
			return nil, &net.OpError{Op: "dial", Err: os.NewSyscallError("socket", syscall.EMFILE)}
		})
		set, _, _ := serving(t, m, 2, nil)
		waitReady(t, set, 2)
		for serial := range 2 {
			m.at(serial + 1).set(func(e *memEngine) { e.hangs = true }) // nobody asks them
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		begun := time.Now()
		require.Equal(t, http.StatusBadGateway, ask(ctx, replica.NewRouter(set).Via(undialled)).Code)
		require.Equal(t, int64(4), asked.Load(), "each twice")
		require.Positive(t, time.Since(begun), "not all at once")
		require.Equal(t, 2, set.Status().Ready)
		require.Equal(t, 2, m.started())
	})
}

// TestARefusalOfAServingEngineIsATry has an engine that says it serves and refuses.
func TestARefusalOfAServingEngineIsATry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{handler: ok}
		set, _, _ := serving(t, m, 1, nil)
		waitReady(t, set, 1)
		var asked atomic.Int64
		refuses := roundTrip(func(*http.Request) (*http.Response, error) {
			if asked.Add(1) > 100 {
				return nil, io.EOF
			}
			return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
		})
		require.Equal(t, http.StatusBadGateway, ask(t.Context(), replica.NewRouter(set).Via(refuses)).Code)
		require.Equal(t, int64(2), asked.Load())
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestAFullEngineIsKilledOnlyWhereNothingMoves has a batch of long answers, none of them
// streamed, behind which a small one waits.
func TestAFullEngineIsKilledOnlyWhereNothingMoves(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		load   func(engine.Load) (engine.Load, error)
		starts int
	}{
		"it works": {func(l engine.Load) (engine.Load, error) {
			l.KVUsage = float64(time.Now().Unix()%1000) / 1000
			return l, nil
		}, 1},
		"it does not tell":  {func(l engine.Load) (engine.Load, error) { return l, errors.ErrUnsupported }, 1},
		"nor of its cache":  {func(l engine.Load) (engine.Load, error) { l.KVUsage = 0; return l, nil }, 1},
		"nothing has moved": {nil, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := &memory{handler: func(e *memEngine) http.HandlerFunc {
					return func(w http.ResponseWriter, _ *http.Request) {
						if e.serial == 1 {
							time.Sleep(time.Hour)
						}
						_, _ = io.WriteString(w, "late")
					}
				}}
				set, h, _ := serving(t, m, 1, nil)
				waitReady(t, set, 1)
				m.at(1).set(func(e *memEngine) { e.full, e.load = true, c.load })
				require.Equal(t, "late", ask(t.Context(), h).Body.String())
				require.Equal(t, c.starts, m.started())
				time.Sleep(time.Hour) // a handler ends late
			})
		})
	}
}
