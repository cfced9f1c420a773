package lifecycle_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func at(seconds float64) time.Time {
	return epoch.Add(time.Duration(seconds * float64(time.Second)))
}

// span makes the two events of one finished span.
func span(id, parent string, stage lifecycle.Stage, from, to float64) []lifecycle.Event {
	e := lifecycle.Event{ID: id, Parent: parent, Replica: "m#1", Model: "m", Stage: stage}
	b, f := e, e
	b.Phase, b.Time = lifecycle.Begin, at(from)
	f.Phase, f.Time = lifecycle.End, at(to)
	return []lifecycle.Event{b, f}
}

func start(spans ...[]lifecycle.Event) lifecycle.Timeline {
	return lifecycle.TimelineOf(slices.Values(slices.Concat(spans...)))
}

func TestLogReplaysAndFollows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := lifecycle.NewLog()
		log.Append(lifecycle.Event{Message: "early"})
		got := make(chan string, 3)
		go func() {
			for e := range log.All(t.Context()) {
				got <- fmt.Sprint(e.Seq, e.Message)
			}
			close(got)
		}()
		require.Equal(t, "1early", <-got)
		log.Append(lifecycle.Event{Message: "late"})
		require.Equal(t, "2late", <-got)
		log.Close()
		log.Append(lifecycle.Event{Message: "dropped"})
		_, open := <-got
		require.False(t, open)
		require.Len(t, log.Snapshot(), 2)
	})
}

func TestLogEndsWithContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	log := lifecycle.NewLog()
	log.Append(lifecycle.Event{})
	n := 0
	for range log.All(ctx) {
		n++
		cancel()
	}
	require.Equal(t, 1, n)
}

func TestTimelineAttributesParallelStages(t *testing.T) {
	t.Parallel()
	tl := start(
		span("a", "", lifecycle.StageResolve, 0, 1),
		span("b", "", lifecycle.StageDownload, 1, 5),
		span("c", "", lifecycle.StageCallback, 1, 3),
		span("d", "", lifecycle.StageLoadWeights, 6, 8),
		span("r", "", lifecycle.StageReady, 8, 8),
		span("z", "", lifecycle.StageDrain, 20, 21),
	)
	require.Equal(t, 8*time.Second, tl.Startup("m#1"))
	require.Equal(t, time.Second, tl.Unattributed("m#1"), "5 to 6 belongs to nobody")
	var path []lifecycle.Stage
	for s := range tl.CriticalPath("m#1") {
		path = append(path, s.Stage)
	}
	require.Equal(t, []lifecycle.Stage{lifecycle.StageResolve, lifecycle.StageDownload, lifecycle.StageLoadWeights}, path)
}

func TestTimelineCountsChildrenInsteadOfTheirParent(t *testing.T) {
	t.Parallel()
	tl := start(
		span("p", "", lifecycle.StagePreload, 0, 4),
		span("c", "p", lifecycle.StageCompile, 1, 4),
		span("r", "", lifecycle.StageReady, 4, 4),
	)
	require.Equal(t, time.Second, tl.Unattributed("m#1"), "the parent's own second is unexplained")
}

func TestTimelineMergesOverlapsByStage(t *testing.T) {
	t.Parallel()
	tl := start(
		span("a", "", lifecycle.StageDownload, 0, 3),
		span("b", "", lifecycle.StageDownload, 2, 5),
	)
	for stage, d := range tl.ByStage() {
		require.Equal(t, lifecycle.StageDownload, stage)
		require.Equal(t, 5*time.Second, d)
	}
}

func TestTimelineIsAChromeTrace(t *testing.T) {
	t.Parallel()
	b, err := json.Marshal(start(span("a", "", lifecycle.StageResolve, 0, 1.5)))
	require.NoError(t, err)
	var trace struct {
		TraceEvents []struct {
			Name, Ph string
			Dur      int64
		} `json:"traceEvents"`
	}
	require.NoError(t, json.Unmarshal(b, &trace))
	require.Len(t, trace.TraceEvents, 1)
	require.Equal(t, int64(1_500_000), trace.TraceEvents[0].Dur)
}

func TestScopeRunFillsTheStage(t *testing.T) {
	t.Parallel()
	log := lifecycle.NewLog()
	scope := lifecycle.Scope{Emit: log.Append, Replica: "m#1"}
	err := scope.Run(t.Context(), lifecycle.StageCheck, func(context.Context, lifecycle.Scope) error {
		return &lifecycle.Error{Op: "check", Kind: lifecycle.MissingFile}
	})
	var e *lifecycle.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, lifecycle.StageCheck, e.Stage)
	events := log.Snapshot()
	require.Equal(t, lifecycle.Fail, events[1].Phase)
	require.Equal(t, events[0].ID, events[1].ID)
	require.ErrorIs(t, events[1].Err, lifecycle.MissingFile)
}

func TestEnvVarsNeverShowValues(t *testing.T) {
	t.Parallel()
	const canary = "hf_canary123"
	env := lifecycle.EnvVars{"HF_TOKEN": canary}
	holder := struct{ Env lifecycle.EnvVars }{env}
	var logged strings.Builder
	slog.New(slog.NewTextHandler(&logged, nil)).Info("x", slog.Any("env", env))
	asJSON, err := json.Marshal(holder)
	require.NoError(t, err)
	asYAML, err := yaml.Marshal(holder)
	require.NoError(t, err)
	for _, s := range []string{
		fmt.Sprint(env), fmt.Sprintf("%+v %#v %s %q %x", env, env, env, env, env),
		fmt.Sprintf("%v %+v %#v", holder, &holder, holder), logged.String(), string(asJSON), string(asYAML),
		env.Redact("Authorization: Bearer " + canary),
	} {
		require.NotContains(t, s, canary)
		require.NotContains(t, s, fmt.Sprintf("%x", canary))
	}
	require.Contains(t, fmt.Sprint(env), "HF_TOKEN", "keys help to debug")
	require.Equal(t, []string{"HF_TOKEN=" + canary}, env.Environ())
}

func TestRedactKeepsWordsThatExplain(t *testing.T) {
	t.Parallel()
	env := lifecycle.EnvVars{"A": "1", "MODEL_DIR": "/models/x", "AWS_ENDPOINT_URL": "http://127.0.0.1:9", "FLAG": "false"}
	require.Equal(t, "no /models/x at http://127.0.0.1:9, false, exit 1", env.Redact("no /models/x at http://127.0.0.1:9, false, exit 1"))
}

func TestRedactFindsSecretsInDisguise(t *testing.T) {
	t.Parallel()
	env := lifecycle.EnvVars{
		"AWS_SECRET_ACCESS_KEY": "/begins+like=a path", "HOOK_URL": "https://hooks.example/T0/B0/x", "PROXY_ENDPOINT": "http://u:pw1234@h",
		"JSON_FILE": "{\n \"private\": \"abc\"\n}", "QUOTED": "tab\tand \"quote\"", "HF_TOKEN": "hf_abcdef",
	}
	for _, text := range []string{
		"/begins+like=a path", "key=" + url.QueryEscape("/begins+like=a path"), "POST https://hooks.example/T0/B0/x", "http://u:pw1234@h",
		`"private": "abc"`, fmt.Sprintf("%q", env["QUOTED"]), "Bearer hf_abcdef",
	} {
		safe := env.Redact(text)
		require.Contains(t, safe, "[redacted]", text)
		for _, part := range []string{"begins", "hooks.example", "pw1234", "private", "quote", "hf_abc"} {
			require.NotContains(t, safe, part, text)
		}
	}
}

func TestErrorTreeTellsKindsAndHints(t *testing.T) {
	t.Parallel()
	gated := &lifecycle.Error{Op: "hub.Resolve", Kind: lifecycle.Gated, Target: "org/m", Hint: "accept the licence"}
	joined := errors.Join(gated, &lifecycle.Error{Op: "x", Kind: lifecycle.Invalid, Hint: "write it so"}, gated)
	outer := fmt.Errorf("starting: %w", joined)
	require.ErrorIs(t, outer, lifecycle.Gated)
	require.ErrorIs(t, outer, lifecycle.Invalid)
	require.NotErrorIs(t, outer, lifecycle.NoSpace)
	require.Equal(t, lifecycle.Gated, lifecycle.KindOf(outer))
	require.Equal(t, []string{"accept the licence", "write it so"}, slices.Collect(lifecycle.Hints(outer)))
	require.Len(t, slices.Collect(lifecycle.Errors(outer)), 3)
	require.Equal(t, "hub.Resolve org/m: gated (accept the licence)", gated.Error())
}

func TestFromContextTellsWhy(t *testing.T) {
	t.Parallel()
	require.NoError(t, lifecycle.FromContext(t.Context(), "op", ""))
	ctx, cancel := context.WithDeadline(t.Context(), epoch)
	defer cancel()
	require.ErrorIs(t, lifecycle.FromContext(ctx, "op", "x"), lifecycle.Timeout)
	ctx, stop := context.WithCancelCause(t.Context())
	stop(&lifecycle.Error{Op: "stage", Kind: lifecycle.NoSpace})
	require.ErrorIs(t, lifecycle.FromContext(ctx, "op", "x"), lifecycle.NoSpace, "the cause is kept")
}

func TestKindsAndPhasesHaveNames(t *testing.T) {
	t.Parallel()
	for k := lifecycle.Unknown; k <= lifecycle.Canceled; k++ {
		require.NotEmpty(t, k.String())
	}
	require.True(t, lifecycle.Throttled.Temporary())
	require.False(t, lifecycle.Gated.Temporary())
	require.Equal(t, "skip", lifecycle.Skip.String())
	require.Equal(t, "unknown", lifecycle.Kind(200).String())
}
