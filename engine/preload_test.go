//go:build linux

package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/internal/fakeengine"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

// recorder is a scope that remembers.
type recorder struct {
	mu     sync.Mutex
	events []lifecycle.Event
	came   chan struct{} // has an element after an event
}

func newRecorder() *recorder { return &recorder{came: make(chan struct{}, 1)} }

func (r *recorder) scope() lifecycle.Scope {
	return lifecycle.Scope{Emit: func(e lifecycle.Event) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.events = append(r.events, e)
		select {
		case r.came <- struct{}{}:
		default:
		}
	}}
}

func (r *recorder) stages() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return stagesOf(r.events)
}

// await waits for "phase stage".
func (r *recorder) await(t *testing.T, what string) {
	t.Helper()
	for !slices.Contains(r.stages(), what) {
		within(t, 20*time.Second, what, r.came)
	}
}

// skipped returns why the preload was skipped, "" when it was not.
func (r *recorder) skipped() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		if e.Phase == lifecycle.Skip && e.Stage == lifecycle.StagePreload {
			return e.Message
		}
	}
	return ""
}

// preload begins a fake; t's end discards it.
func preload(t *testing.T, spec engine.Spec, opts *engine.Options) (*engine.Preloaded, *recorder) {
	t.Helper()
	var o engine.Options
	if opts != nil {
		o = *opts
	}
	r := newRecorder()
	o.Scope = r.scope()
	early := engine.Preload(t.Context(), fakeengine.Early{}, spec, &o)
	t.Cleanup(func() { require.NoError(t, early.Discard(context.Background())) })
	return early, r
}

// goOn starts what was preloaded and waits until it serves.
func goOn(t *testing.T, early *engine.Preloaded, spec engine.Spec) *engine.Process {
	t.Helper()
	p, err := early.Start(t.Context(), spec)
	require.NoError(t, err)
	t.Cleanup(func() { <-p.Done() })
	require.NoError(t, p.Ready(t.Context()))
	return p
}

func TestPreloadedBecomesTheEngine(t *testing.T) {
	t.Parallel()
	spec := fakeengine.Spec(t)
	early, r := preload(t, spec, nil)
	r.await(t, "end preload")
	spec.Kwargs = map[string]any{"modes": "brood"}
	p := goOn(t, early, spec)
	pids := fakeengine.PIDs(t, spec.Dir)
	require.Equal(t, pids["early"], pids["engine"], "it is the same process")
	require.NoError(t, early.Discard(t.Context()), "does nothing to it any more")
	require.Equal(t, 200, ask(t, "GET", p.Endpoint().JoinPath("health")))
	pids = brood(t, spec.Dir)
	require.NoError(t, p.Stop(t.Context()))
	requireGone(t, time.Second, pids)
	require.Equal(t, []string{
		"begin preload", "end preload", "begin check", "end check", "begin engine_config", "end engine_config",
		"begin load_weights", "end load_weights", "begin warmup", "end warmup",
	}, r.stages())
	require.Empty(t, r.skipped())
}

// What it is told early begins when the preload is over, which therefore is on the
// critical path.
func TestToldBeforeThePreloadIsOver(t *testing.T) {
	t.Parallel()
	spec := fakeengine.Spec(t, "early-slow")
	early, _ := preload(t, spec, nil)
	p := goOn(t, early, spec)
	require.NoError(t, p.Stop(t.Context()))
	events := slices.Collect(p.Events(t.Context()))
	require.Equal(t, []string{
		"begin preload", "begin check", "end check", "end preload", "begin engine_config", "end engine_config",
		"begin load_weights", "end load_weights", "begin warmup", "end warmup",
		"begin ready", "end ready", "begin stopped", "end stopped",
	}, stagesOf(events))
	tl := lifecycle.TimelineOf(slices.Values(events))
	require.Zero(t, tl.Unattributed(""))
	path := slices.Collect(tl.CriticalPath(""))
	require.Equal(t, lifecycle.StagePreload, path[0].Stage)
}

// Whatever becomes of the process, the engine starts, and an event says why it did anew.
func TestStartsAnew(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		mode   string
		change func(*engine.Spec)
		wait   string // for "phase stage", before the start
		why    string
	}{
		"nothing to preload":    {mode: "early-none", why: "the fake cannot preload"},
		"it has died":           {mode: "early-crash", wait: "fail preload", why: "a module is missing"},
		"it hangs":              {mode: "early-hang", wait: "fail preload", why: "no progress in preload"},
		"another environment":   {change: func(s *engine.Spec) { s.Env = lifecycle.EnvVars{"NEW": "1"} }, wait: "end preload", why: "the environment has changed"},
		"another one, too soon": {mode: "early-slow", change: func(s *engine.Spec) { s.Env = lifecycle.EnvVars{"NEW": "1"} }, why: "the environment has changed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := fakeengine.Spec(t, c.mode)
			limit := 10 * time.Second
			if c.mode == "early-hang" {
				limit = 200 * time.Millisecond
			}
			early, r := preload(t, spec, &engine.Options{ReadyWithin: limit})
			if c.wait != "" {
				r.await(t, c.wait)
			}
			spec.Kwargs = nil
			if c.change != nil {
				c.change(&spec)
			}
			p, err := early.Start(t.Context(), spec)
			require.NoError(t, err)
			t.Cleanup(func() { <-p.Done() })
			require.Contains(t, r.skipped(), c.why)
			pids := fakeengine.PIDs(t, spec.Dir)
			if early := pids["early"]; early != 0 {
				require.False(t, alive(early))
			}
			if c.mode != "early-hang" { // whose limit is too short for a loaded machine
				require.NoError(t, p.Ready(t.Context()))
			}
			require.NoError(t, p.Stop(t.Context()))
		})
	}
}

func TestPlainEnginesStartPlainly(t *testing.T) {
	t.Parallel()
	r := newRecorder()
	early := engine.Preload(t.Context(), fakeengine.Engine{}, engine.Spec{}, &engine.Options{Scope: r.scope()})
	require.Empty(t, r.stages())
	p := goOn(t, early, fakeengine.Spec(t))
	require.NoError(t, p.Stop(t.Context()))
	require.Empty(t, r.skipped())
}

// deaf is a launcher whose processes cannot be told anything.
type deaf struct{ engine.Exec }

type deafHandle struct{ engine.Handle }

func (deafHandle) Input() io.WriteCloser { return nil }

func (d deaf) Launch(ctx context.Context, cmd engine.Command) (engine.Handle, error) {
	h, err := d.Exec.Launch(ctx, cmd)
	return deafHandle{h}, err
}

func TestAProcessWithoutInputIsNotKept(t *testing.T) {
	t.Parallel()
	spec := fakeengine.Spec(t)
	early, r := preload(t, spec, &engine.Options{Launcher: deaf{}})
	require.Contains(t, r.skipped(), "no input")
	if pid := fakeengine.PIDs(t, spec.Dir)["early"]; pid != 0 {
		require.False(t, alive(pid))
	}
	p := goOn(t, early, spec)
	require.NoError(t, p.Stop(t.Context()))
}

// With nothing to do a process may wait for ever.
func TestWaitingForTheModelIsNoStall(t *testing.T) {
	t.Parallel()
	spec := fakeengine.Spec(t)
	limit := 2 * time.Second
	early, r := preload(t, spec, &engine.Options{ReadyWithin: limit})
	r.await(t, "end preload")
	select {
	case <-time.After(limit + 500*time.Millisecond):
	case <-t.Context().Done():
	}
	p := goOn(t, early, spec)
	require.NoError(t, p.Stop(t.Context()))
	require.Empty(t, r.skipped())
}

func TestDiscardLeavesNothing(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"early-brood", "early-brood,early-slow"} {
		spec := fakeengine.Spec(t, mode)
		early, _ := preload(t, spec, nil)
		pids := earlyBrood(t, spec.Dir)
		require.NoError(t, early.Discard(t.Context()))
		requireGone(t, time.Second, pids)
		require.NoError(t, early.Discard(t.Context()), "again")
	}
}

func TestAWrongSpecEndsThePreload(t *testing.T) {
	t.Parallel()
	spec := fakeengine.Spec(t, "early-brood")
	early, r := preload(t, spec, nil)
	pids := earlyBrood(t, spec.Dir)
	bad := spec
	bad.Dir = filepath.Join(spec.Dir, "none")
	_, err := early.Start(t.Context(), bad)
	require.ErrorIs(t, err, lifecycle.MissingFile)
	requireGone(t, time.Second, pids)
	require.Contains(t, r.stages(), "fail check")
}

// The process ends with the context of Preload and with that of Start.
func TestPreloadedEndsWithItsContexts(t *testing.T) {
	t.Parallel()
	because := errors.New("enough")
	for _, whose := range []string{"Preload", "Start", "Preload, before Start"} {
		spec := fakeengine.Spec(t, "hang")
		first, endFirst := context.WithCancelCause(t.Context())
		second, endSecond := context.WithCancelCause(t.Context())
		early := engine.Preload(first, fakeengine.Early{}, spec, nil)
		if whose == "Preload, before Start" {
			endFirst(because)
			p, err := early.Start(second, spec)
			require.NoError(t, err, "with a process of its own")
			endSecond(because)
			<-p.Done()
			continue
		}
		p, err := early.Start(second, spec)
		require.NoError(t, err)
		if whose == "Preload" {
			endFirst(because)
		} else {
			endSecond(because)
		}
		<-p.Done()
		require.ErrorIs(t, p.Err(), because, whose)
		require.ErrorIs(t, p.Err(), lifecycle.Canceled)
		endFirst(nil)
		endSecond(nil)
	}
}

func TestNoSecretLeavesAPreload(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"leak", "early-crash", "early-none"} {
		spec := fakeengine.Spec(t, mode)
		spec.Env = lifecycle.EnvVars{"HF_TOKEN": canary}
		early, r := preload(t, spec, nil)
		require.NotContains(t, fmt.Sprintf("%v %+v %#v", early, early, early), canary)
		if mode == "early-crash" {
			r.await(t, "fail preload")
		}
		p := goOn(t, early, fakeSpecOf(spec, mode))
		require.NoError(t, p.Stop(t.Context()))
		require.NotContains(t, fmt.Sprintf("%+v %+v %#v", r.events, p, p), canary)
	}
}

// fakeSpecOf is spec for a process that may be a new one.
func fakeSpecOf(spec engine.Spec, mode string) engine.Spec {
	if strings.HasPrefix(mode, "early-") {
		spec.Kwargs = nil
	}
	return spec
}

// earlyBrood waits for the whole family of a process that waits for its model.
func earlyBrood(t *testing.T, dir string) map[string]int {
	t.Helper()
	var pids map[string]int
	require.Eventually(t, func() bool {
		pids = fakeengine.PIDs(t, dir)
		return pids["early"] != 0 && pids["core"] != 0 && pids["worker"] != 0 && pids["orphan"] != 0
	}, 20*time.Second, 10*time.Millisecond)
	delete(pids, "deserter")
	return pids
}

// A preload is of its host as any engine is.
func TestNoPreloadOutlivesAKilledHost(t *testing.T) {
	t.Parallel()
	spec := fakeengine.Spec(t)
	host, _ := runHost(t, "preloading", spec.Dir, "early-brood,stubborn")
	pids := earlyBrood(t, spec.Dir)
	require.NoError(t, host.Process.Signal(os.Kill))
	requireGone(t, promise, pids)
	require.Error(t, host.Wait())
}

// A shy launcher tells when its commands yield.
type shy struct {
	engine.Exec
	yields chan bool
}

func (s shy) Launch(ctx context.Context, cmd engine.Command) (engine.Handle, error) {
	h, err := s.Exec.Launch(ctx, cmd)
	return shyHandle{h, s.yields}, err
}

type shyHandle struct {
	engine.Handle
	yields chan bool
}

func (h shyHandle) Yield(yield bool) error {
	h.yields <- yield
	return nil
}

// A process that was begun for nobody yields to all others, and belongs to who adopts it: from
// then on its stages are told there.
func TestAdopt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ mode, told string }{
		{"", "skip preload: done by the standby"}, {"early-slow", "begin preload: begun by the standby"},
	} {
		spec := fakeengine.Spec(t, c.mode)
		yields := make(chan bool, 2)
		early, before := preload(t, spec, &engine.Options{Launcher: shy{yields: yields}})
		early.Yield()
		require.True(t, <-yields)
		if c.mode == "" {
			within(t, 20*time.Second, "idle", early.Idle())
		}
		after := newRecorder()
		early.Adopt(&engine.Options{Scope: after.scope()}, "the standby")
		require.False(t, <-yields)
		p := goOn(t, early, spec)
		require.NoError(t, early.Err())
		require.NoError(t, p.Stop(t.Context()))
		require.Equal(t, []string{"begin preload", "end preload"}, before.stages())
		require.Equal(t, c.told, fmt.Sprintf("%s %s: %s", after.events[0].Phase, after.events[0].Stage, after.events[0].Message))
		require.Contains(t, after.stages(), "end warmup")
		told := slices.IndexFunc(after.events, func(e lifecycle.Event) bool { return e.Stage == lifecycle.StageEngineConfig })
		require.Zero(t, lifecycle.TimelineOf(slices.Values(after.events[told:])).Unattributed(""), "before, it may wait for this test")
	}
}

// What cannot be gone on with says so before it is wanted, and why afterwards.
func TestAPreloadThatHasEndedSaysWhy(t *testing.T) {
	t.Parallel()
	early, _ := preload(t, fakeengine.Spec(t, "early-crash"), nil)
	within(t, 20*time.Second, "down", early.Down())
	require.NoError(t, early.Discard(t.Context()))
	require.ErrorContains(t, early.Err(), "a module is missing")

	none := engine.Preload(t.Context(), fakeengine.Engine{}, engine.Spec{}, nil)
	within(t, 20*time.Second, "down", none.Down())
	require.ErrorIs(t, none.Err(), errors.ErrUnsupported)

	early, _ = preload(t, fakeengine.Spec(t), nil)
	within(t, 20*time.Second, "idle", early.Idle())
	require.NoError(t, early.Discard(t.Context()))
	require.NoError(t, early.Err(), "it was ended as asked")
}
