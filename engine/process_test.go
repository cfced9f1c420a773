package engine_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/internal/fakeengine"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

// ask returns the status of an answer, 0 without one.
func ask(t *testing.T, method string, u *url.URL) (status int) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, u.String(), http.NoBody)
	require.NoError(t, err)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return 0
	}
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode
}

func TestServesAndStops(t *testing.T) {
	t.Parallel()
	spec := fakeengine.Spec(t, "brood")
	p := ready(t, spec, nil)
	pids := brood(t, spec.Dir)
	require.Equal(t, http.StatusOK, ask(t, http.MethodGet, p.Endpoint().JoinPath("health")))
	require.NoError(t, p.Err())
	require.NoError(t, p.Stop(t.Context()))
	requireGone(t, 0+time.Second, pids)
	require.NoError(t, p.Stop(t.Context()), "again")
	require.NoError(t, p.Err())
	require.Equal(t, lifecycle.Canceled, lifecycle.KindOf(p.Ready(t.Context())))
	require.NotZero(t, fakeengine.PIDs(t, spec.Dir)["signal-15"], "the stop signal came first")

	events := slices.Collect(p.Events(t.Context()))
	require.Equal(t, []string{
		"begin check", "end check", "begin preload", "end preload", "begin engine_config", "end engine_config",
		"begin load_weights", "end load_weights", "begin warmup", "end warmup",
		"begin ready", "end ready", "begin stopped", "end stopped",
	}, stagesOf(events))
	tl := lifecycle.TimelineOf(slices.Values(events))
	require.Zero(t, tl.Unattributed(""))
}

func TestFailuresAreExplained(t *testing.T) {
	t.Parallel()
	tests := []struct {
		mode  string
		kind  lifecycle.Kind
		stage lifecycle.Stage
		says  string
		hint  string
	}{
		{"crash", lifecycle.EngineFailed, lifecycle.StageLoadWeights, "shard 2 is broken", "do what the fake says"},
		{"exit0", lifecycle.EngineFailed, lifecycle.StageEngineConfig, "exit 0", "ask the fake"},
		{"fatal", lifecycle.EngineFailed, lifecycle.StageLoadWeights, "the core has gone", "do what the fake says"},
		{"cold", lifecycle.EngineFailed, lifecycle.StageWarmup, "no kernel for this card", "cannot answer"},
		{"hang", lifecycle.Timeout, lifecycle.StageLoadWeights, "no progress in load_weights for", "limit"},
		{"chatter", lifecycle.Timeout, lifecycle.StageLoadWeights, "still waiting for the core", "limit"},
	}
	for _, tt := range tests {
		t.Run(tt.mode, func(t *testing.T) {
			t.Parallel()
			spec := fakeengine.Spec(t, tt.mode, "brood")
			var opts engine.Options
			if tt.kind == lifecycle.Timeout {
				opts.ReadyWithin = 2 * time.Second
			}
			p := start(t, spec, &opts)
			err := p.Ready(t.Context())
			require.Equal(t, err, p.Err())
			e, ok := errors.AsType[*lifecycle.Error](err)
			require.True(t, ok)
			require.Equal(t, tt.kind, e.Kind)
			require.Equal(t, tt.stage, e.Stage)
			require.Equal(t, "engine.Start", e.Op)
			require.Equal(t, "fake", e.Target)
			require.ErrorContains(t, err, tt.says)
			require.Contains(t, e.Hint, tt.hint)
			within(t, 10*time.Second, "end", p.Done())
			requireGone(t, time.Second, fakeengine.PIDs(t, spec.Dir))
			last := slices.Collect(p.Events(t.Context()))
			require.Contains(t, stagesOf(last), "fail "+string(tt.stage))
		})
	}
}

func TestExitAfterReadyIsFailureWhateverItsCode(t *testing.T) {
	t.Parallel()
	for _, code := range []int{0, 7} {
		p := ready(t, fakeengine.Spec(t), nil)
		ask(t, http.MethodPost, p.Endpoint().JoinPath("exit").ResolveReference(&url.URL{RawQuery: fmt.Sprintf("code=%d", code)}))
		within(t, 10*time.Second, "failure seen", p.Down())
		within(t, 10*time.Second, "end", p.Done())
		require.ErrorContains(t, p.Err(), fmt.Sprintf("exit %d", code))
		require.ErrorIs(t, p.Err(), lifecycle.EngineFailed)
		require.ErrorIs(t, p.Ready(t.Context()), lifecycle.EngineFailed)
	}
}

func TestStopKillsWhatIgnoresTheSignal(t *testing.T) {
	t.Parallel()
	spec := fakeengine.Spec(t, "stubborn", "brood")
	p := ready(t, spec, &engine.Options{StopWithin: 300 * time.Millisecond})
	pids := brood(t, spec.Dir)
	require.NoError(t, p.Stop(t.Context()))
	require.NotZero(t, fakeengine.PIDs(t, spec.Dir)["signal-15"])
	requireGone(t, time.Second, pids)
}

func TestStopIsBoundedByItsContext(t *testing.T) {
	t.Parallel()
	p := ready(t, fakeengine.Spec(t, "stubborn"), nil)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	require.NoError(t, p.Stop(ctx), "killed, so nothing is left")
	require.NoError(t, p.Err())
}

func TestStopWhileStarting(t *testing.T) {
	t.Parallel()
	spec := fakeengine.Spec(t, "hang", "brood")
	p := start(t, spec, nil)
	pids := brood(t, spec.Dir)
	require.NoError(t, p.Stop(t.Context()))
	requireGone(t, time.Second, pids)
	require.NoError(t, p.Err())
	require.ErrorIs(t, p.Ready(t.Context()), lifecycle.Canceled)
	events := stagesOf(slices.Collect(p.Events(t.Context())))
	require.Equal(t, []string{"begin stopped", "end stopped"}, events[len(events)-2:])
	require.Contains(t, []string{"fail engine_config", "fail load_weights"}, events[len(events)-3], "as far as it has come")
}

func TestContextEndsTheProcess(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	spec := fakeengine.Spec(t, "brood")
	p, err := engine.Start(ctx, fakeengine.Engine{}, spec, nil)
	require.NoError(t, err)
	require.NoError(t, p.Ready(t.Context()))
	pids := brood(t, spec.Dir)
	because := errors.New("the lights go out")
	cancel(because)
	within(t, 10*time.Second, "end", p.Done())
	require.ErrorIs(t, p.Err(), because)
	require.ErrorIs(t, p.Err(), lifecycle.Canceled)
	requireGone(t, time.Second, pids)
}

func TestTwoAtOnce(t *testing.T) {
	t.Parallel()
	a, b := start(t, fakeengine.Spec(t), nil), start(t, fakeengine.Spec(t), nil)
	require.NoError(t, a.Ready(t.Context()))
	require.NoError(t, b.Ready(t.Context()))
	require.NotEqual(t, a.Endpoint().Host, b.Endpoint().Host)
	require.NoError(t, a.Stop(t.Context()))
	require.Equal(t, http.StatusOK, ask(t, http.MethodGet, b.Endpoint().JoinPath("health")))
	require.NoError(t, b.Stop(t.Context()))
}

func TestOutputFloodAndSilence(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"flood", "mute"} {
		p := ready(t, fakeengine.Spec(t, mode), nil)
		require.NoError(t, p.Stop(t.Context()), mode)
	}
}

func TestStartRefuses(t *testing.T) {
	t.Parallel()
	taken := ready(t, fakeengine.Spec(t), nil)
	tests := map[string]struct {
		change func(*engine.Spec)
		kind   lifecycle.Kind
	}{
		"no model":      {func(s *engine.Spec) { s.Dir += "/nowhere" }, lifecycle.MissingFile},
		"no address":    {func(s *engine.Spec) { s.Addr = "8000" }, lifecycle.Invalid},
		"taken address": {func(s *engine.Spec) { s.Addr = taken.Endpoint().Host }, lifecycle.Invalid},
	}
	for name, tt := range tests {
		spec := fakeengine.Spec(t)
		tt.change(&spec)
		_, err := engine.Start(t.Context(), fakeengine.Engine{}, spec, nil)
		require.ErrorIs(t, err, tt.kind, name)
		require.NotEmpty(t, slices.Collect(lifecycle.Hints(err)), name)
	}
	require.NoError(t, taken.Stop(t.Context()))
}

func TestScopeGetsTheStagesButNotTheMoments(t *testing.T) {
	t.Parallel()
	log := lifecycle.NewLog()
	root := lifecycle.Scope{Emit: log.Append, Model: "m", Replica: "m#1", Node: "here"}
	span := root.Begin(lifecycle.StageProvision, "")
	p := ready(t, fakeengine.Spec(t), &engine.Options{Scope: span})
	require.NoError(t, p.Stop(t.Context()))
	events := log.Snapshot()[1:]
	require.Equal(t, []string{
		"begin check", "end check", "begin preload", "end preload", "begin engine_config", "end engine_config",
		"begin load_weights", "end load_weights", "begin warmup", "end warmup",
	}, stagesOf(events))
	for _, e := range events {
		require.Equal(t, []string{"m", "m#1", "here", span.ID}, []string{e.Model, e.Replica, e.Node, e.Parent})
	}
}
