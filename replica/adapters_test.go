package replica_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/replica"
	"github.com/stretchr/testify/require"
)

// adapting is a machine whose engines load adapters. What an engine must never see fails t.
type adapting struct {
	memory
	t     *testing.T
	most  int
	takes time.Duration                       // a load
	load  func(serial int, name string) error // nil: as it should
	loads map[string]int                      // by "SERIAL/NAME"

	mu      sync.Mutex
	holders map[int]*adaptingEngine
}

type adaptingEngine struct {
	*memEngine
	of     *adapting
	loaded map[string]int // requests by adapter
}

func adaptingMachine(t *testing.T, most int) *adapting {
	t.Helper()
	a := &adapting{t: t, most: most, takes: time.Second, loads: map[string]int{}, holders: map[int]*adaptingEngine{}}
	a.starts = time.Second
	a.handler = func(e *memEngine) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { a.answer(a.holder(e.serial), w, r) }
	}
	return a
}

func (a *adapting) holder(serial int) *adaptingEngine {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.holders[serial]
}

func (a *adapting) start(ctx context.Context, s lifecycle.Scope, n replica.Node) (replica.Instance, error) {
	i, err := a.memory.start(ctx, s, n)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	e := &adaptingEngine{memEngine: i.(*memEngine), of: a, loaded: map[string]int{}}
	a.holders[e.serial] = e
	return e, nil
}

// answer takes a second, during all of which the adapter has to be there.
func (a *adapting) answer(e *adaptingEngine, w http.ResponseWriter, r *http.Request) {
	name := r.Header.Get("X-Adapter")
	use := func(n int) {
		a.mu.Lock()
		defer a.mu.Unlock()
		if _, has := e.loaded[name]; name != "" && !has && e.gone.Err() == nil {
			a.t.Errorf("a request for %q at engine %d, which does not have it", name, e.serial)
		}
		e.loaded[name] += n
		if name == "" {
			delete(e.loaded, name)
		}
	}
	use(1)
	select {
	case <-time.After(time.Second):
	case <-r.Context().Done():
	}
	use(-1)
	_, _ = fmt.Fprintf(w, "%d/%s", e.serial, name)
}

func (e *adaptingEngine) LoadAdapter(ctx context.Context, name string) error {
	select {
	case <-time.After(e.of.takes):
	case <-ctx.Done():
		return lifecycle.FromContext(ctx, "load", name)
	}
	if e.of.load != nil {
		if err := e.of.load(e.serial, name); err != nil {
			return err
		}
	}
	e.of.mu.Lock()
	defer e.of.mu.Unlock()
	_, twice := e.loaded[name]
	if twice || len(e.loaded) >= e.of.most {
		e.of.t.Errorf("engine %d is to load %s beside %v", e.serial, name, e.loaded)
	}
	e.loaded[name] = 0
	e.of.loads[fmt.Sprintf("%d/%s", e.serial, name)]++
	return nil
}

func (e *adaptingEngine) UnloadAdapter(_ context.Context, name string) error {
	e.of.mu.Lock()
	defer e.of.mu.Unlock()
	if e.gone.Err() != nil { // whose requests have ended, though their handlers may not know
		return &lifecycle.Error{Op: "unload", Kind: lifecycle.EngineFailed, Err: e.Err()}
	}
	if users, has := e.loaded[name]; !has || users > 0 {
		e.of.t.Errorf("engine %d is to unload %s, which %d requests use", e.serial, name, users)
	}
	delete(e.loaded, name)
	return nil
}

func (a *adapting) counted(key string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.loads[key]
}

// serve starts n replicas with a router before them.
func (a *adapting) serve(n int, tune func(*replica.SetOptions)) (*replica.Set, http.Handler) {
	a.t.Helper()
	set, h, _ := servingWith(a.t, &a.memory, a.start, n, func(o *replica.SetOptions) {
		ok := func(context.Context, string) error { return nil }
		o.Adapters = &replica.Adapters{Find: ok, Bring: ok, Max: a.most}
		if tune != nil {
			tune(o)
		}
	})
	waitReady(a.t, set, n)
	return set, h
}

// with asks for an adapter; "" is the model alone.
func with(ctx context.Context, h http.Handler, name string) *httptest.ResponseRecorder {
	return ask(ctx, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set("X-Adapter", name)
		h.ServeHTTP(w, replica.Naming(r, name))
	}))
}

// TestAdaptersComeAndGoUnderLoad has more adapters in demand than all replicas hold, and kills
// engines meanwhile: the engines check that nothing goes that is used, and that there is room.
func TestAdaptersComeAndGoUnderLoad(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := adaptingMachine(t, 2)
		set, h := a.serve(2, nil)
		rnd := rand.New(rand.NewPCG(1, 2))
		var wg sync.WaitGroup
		for range 300 {
			name := fmt.Sprintf("a%d", rnd.IntN(7))
			if rnd.IntN(4) == 0 {
				name = ""
			}
			delay := time.Duration(rnd.IntN(60_000)) * time.Millisecond
			wg.Go(func() {
				time.Sleep(delay)
				w := with(t.Context(), h, name)
				if w.Code != http.StatusOK {
					t.Errorf("%q: %d %s", name, w.Code, w.Body)
				}
			})
		}
		for range 3 {
			time.Sleep(15 * time.Second)
			a.at(a.started()).die(errKilled)
		}
		wg.Wait()
		for _, r := range set.Status().Replicas {
			require.LessOrEqual(t, len(r.Adapters), 2)
		}
	})
}

func TestAnAdapterIsLoadedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := adaptingMachine(t, 2)
		set, h := a.serve(1, nil)
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if w := with(t.Context(), h, "sql"); w.Code != http.StatusOK {
					t.Error(w.Body)
				}
			})
		}
		wg.Wait()
		require.Equal(t, 1, a.counted("1/sql"))
		require.Equal(t, []string{"sql"}, set.Status().Replicas[0].Adapters)
	})
}

// TestAFailedLoadFailsOnlyItsRequests also holds the status against what is wrong.
func TestAFailedLoadFailsOnlyItsRequests(t *testing.T) {
	t.Parallel()
	for kind, want := range map[lifecycle.Kind]struct {
		status int
		code   string
	}{
		lifecycle.NotFound:     {404, "model_not_found"},
		lifecycle.Corrupt:      {400, "invalid_adapter"},
		lifecycle.Invalid:      {400, "invalid_adapter"},
		lifecycle.Unavailable:  {503, "adapter_unavailable"},
		lifecycle.AccessDenied: {502, "adapter_error"},
	} {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := adaptingMachine(t, 2)
				broken := true
				a.load = func(_ int, name string) error {
					if name == "bad" && broken {
						return &lifecycle.Error{Op: "load", Kind: kind, Err: errors.New("the cause"), Hint: "what to do"}
					}
					return nil
				}
				set, h := a.serve(1, nil)
				var wg sync.WaitGroup
				for _, name := range []string{"bad", "good", "", "bad"} {
					wg.Go(func() {
						w := with(t.Context(), h, name)
						if name != "bad" && w.Code != http.StatusOK || name == "bad" && w.Code != want.status {
							t.Errorf("%q: %d %s", name, w.Code, w.Body)
						}
						if name == "bad" {
							mustContain(t, w, want.code)
							if kind != lifecycle.AccessDenied { // whose hint tells of credentials
								mustContain(t, w, "what to do")
							} else if strings.Contains(w.Body.String(), "what to do") {
								t.Error("the source's hint is the operator's")
							}
						}
					})
				}
				wg.Wait()
				require.Equal(t, 1, set.Status().Ready, "the replica is not to blame")
				broken = false
				require.Equal(t, http.StatusOK, with(t.Context(), h, "bad").Code, "the next request tries again")
			})
		})
	}
}

func mustContain(t *testing.T, w *httptest.ResponseRecorder, text string) {
	t.Helper()
	if !strings.Contains(w.Body.String(), text) {
		t.Errorf("%s lacks %q", w.Body, text)
	}
}

func TestADeathDuringALoadMeansAnotherReplica(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := adaptingMachine(t, 2)
		a.takes = 10 * time.Second
		set, h := a.serve(2, nil)
		answer := make(chan *httptest.ResponseRecorder)
		go func() { answer <- with(t.Context(), h, "sql") }()
		time.Sleep(5 * time.Second)
		for _, r := range set.Status().Replicas {
			if r.Inflight > 0 {
				a.at(int(r.ID[2] - '0')).die(errKilled)
			}
		}
		w := <-answer
		require.Equal(t, http.StatusOK, w.Code, w.Body)
		waitReady(t, set, 2)
		var wg sync.WaitGroup
		for range 4 * replica.Crowded { // more than one of them takes alone
			wg.Go(func() { with(t.Context(), h, "sql") })
		}
		wg.Wait()
		require.Equal(t, 1, a.counted("3/sql"), "a replaced replica loads on demand")
	})
}

func TestRequestsGoWhereTheirAdapterIs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := adaptingMachine(t, 1)
		_, h := a.serve(2, nil)
		first := with(t.Context(), h, "a").Body.String()
		other := with(t.Context(), h, "b").Body.String()
		require.NotEqual(t, first[0], other[0], "there was room at the other one")
		for range 20 {
			require.Equal(t, first, with(t.Context(), h, "a").Body.String())
			require.Equal(t, other, with(t.Context(), h, "b").Body.String())
		}
	})
}

func TestAnAdapterInDemandSpreads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := adaptingMachine(t, 1)
		_, h := a.serve(2, nil)
		var wg sync.WaitGroup
		for range 4 * replica.Crowded {
			wg.Go(func() { with(t.Context(), h, "a") })
		}
		wg.Wait()
		require.Equal(t, 2, a.counted("1/a")+a.counted("2/a"))
	})
}

func TestAdaptersInUseMakeOthersWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := adaptingMachine(t, 1)
		_, h := a.serve(1, func(o *replica.SetOptions) { o.Limits.WaitingFor = 90 * time.Second })
		a.takes = time.Minute
		go with(t.Context(), h, "a") // uses the only place for 61 s
		time.Sleep(time.Second)
		b := make(chan *httptest.ResponseRecorder)
		go func() { b <- with(t.Context(), h, "b") }()
		time.Sleep(time.Second)
		began := time.Now()
		require.Equal(t, http.StatusOK, with(t.Context(), h, "").Code)
		require.Equal(t, time.Second, time.Since(began), "who names none overtakes, though the caller is the same")
		time.Sleep(10 * time.Second)
		require.Equal(t, http.StatusOK, (<-b).Code)
	})
	synctest.Test(t, func(t *testing.T) {
		a := adaptingMachine(t, 1)
		_, h := a.serve(1, func(o *replica.SetOptions) { o.Limits.WaitingFor = -1 })
		go with(t.Context(), h, "a")
		time.Sleep(time.Millisecond)
		w := with(t.Context(), h, "b")
		refused(t, w, http.StatusTooManyRequests, "too_many_requests")
		mustContain(t, w, "adapters in use")
	})
}

func TestALoadOutlivesWhoAskedForIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := adaptingMachine(t, 1)
		_, h := a.serve(1, nil)
		a.takes = time.Minute
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.Equal(t, 499, with(ctx, h, "a").Code)
		time.Sleep(2 * time.Minute)
		began := time.Now()
		require.Equal(t, http.StatusOK, with(t.Context(), h, "a").Code)
		require.Equal(t, time.Second, time.Since(began))
	})
}

// TestAnEngineThatHangsOverAnAdapterIsReplaced fails the load after a time, as engine.Process does,
// and gives no sign of life.
func TestAnEngineThatHangsOverAnAdapterIsReplaced(t *testing.T) {
	t.Parallel()
	for _, hangs := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			a := adaptingMachine(t, 1)
			set, h := a.serve(1, nil)
			a.takes = 5 * time.Minute
			a.load = func(serial int, _ string) error {
				if a.takes = time.Second; serial == 1 {
					return &lifecycle.Error{Op: "load", Kind: lifecycle.EngineFailed, Err: context.DeadlineExceeded}
				}
				return nil
			}
			a.at(1).set(func(e *memEngine) { e.hangs = hangs })
			if w := with(t.Context(), h, "a"); hangs {
				require.Equal(t, "2/a", w.Body.String())
			} else { // it is alive
				require.Equal(t, http.StatusBadGateway, w.Code)
				require.Equal(t, "m#1", set.Status().Replicas[0].ID)
				require.Equal(t, http.StatusOK, with(t.Context(), h, "").Code)
			}
		})
	}
}

// TestALongLoadIsNoStall waits for an adapter longer than an engine may be silent.
func TestALongLoadIsNoStall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := adaptingMachine(t, 1)
		set, h := a.serve(1, nil)
		a.takes = 10 * time.Minute
		a.at(1).set(func(e *memEngine) { e.full = true }) // would not stand an examination
		require.Equal(t, http.StatusOK, with(t.Context(), h, "a").Code)
		require.Equal(t, "m#1", set.Status().Replicas[0].ID)
	})
}

func TestAdaptersDuringDrainAndUpdate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := adaptingMachine(t, 1)
		a.takes = 5 * time.Second
		set, h := a.serve(1, nil)
		old := make(chan *httptest.ResponseRecorder)
		go func() { old <- with(t.Context(), h, "a") }()
		time.Sleep(time.Second)
		updated := make(chan error)
		none := func(context.Context, string) error { return &lifecycle.Error{Kind: lifecycle.NotFound} }
		go func() {
			updated <- set.Update(t.Context(), 1, a.start, &replica.SetOptions{Adapters: &replica.Adapters{Find: none, Bring: none, Max: 1}})
		}()
		time.Sleep(2 * time.Second) // the new replica is ready, the old one drains
		require.Equal(t, http.StatusNotFound, with(t.Context(), h, "b").Code, "the new adapters count")
		require.Equal(t, "1/a", (<-old).Body.String(), "a load under way ends")
		require.NoError(t, <-updated)
		require.NoError(t, set.Update(t.Context(), 1, a.start, nil))
		require.Equal(t, http.StatusNotFound, with(t.Context(), h, "a").Code, "there are none any more")
		set.Want(0)
	})
}
