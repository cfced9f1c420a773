package spinup_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spinup-llm/spinup"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

// greeting is kwargs and callback in one.
type greeting struct {
	spinup.NopCallback
	Text  string `yaml:"text"`
	Times int    `yaml:"times"`
}

func (g *greeting) OnReady(_ context.Context, s *spinup.ReplicaState) error {
	s.Values["greeting"] = strings.Repeat(g.Text, g.Times)
	return nil
}

// picky has kwargs of a type of their own, with rules beyond types.
type picky struct {
	Mood  string         `yaml:"mood"`
	Extra map[string]any `yaml:",inline"`
}

func (p picky) Validate() error {
	if p.Mood == "" {
		return &lifecycle.Error{Target: "mood", Kind: lifecycle.Invalid, Err: errors.New("no mood"), Hint: "be happy"}
	}
	if p.Mood == "bad" {
		return errors.New("not like this")
	}
	return nil
}

// misspelt has a method that is no hook.
type misspelt struct{ spinup.NopCallback }

func (misspelt) OnRedy(context.Context, *spinup.ReplicaState) error { return nil }

// pointed has one on its pointer.
type pointed struct{ spinup.NopCallback }

func (*pointed) OnDownload(context.Context, *spinup.ReplicaState) error { return nil }

// once has a method that only looks like one.
type once struct{ spinup.NopCallback }

func (once) Once() {}
func (once) On()   {}

func withCallback(c spinup.CallbackConfig) *spinup.LLMConfig {
	return valid(func(cfg *spinup.LLMConfig) { cfg.CallbackConfig = c })
}

func newHooks(t *testing.T, cfg *spinup.LLMConfig) (*spinup.Hooks, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	h, err := spinup.NewHooks(cfg, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	require.NoError(t, err)
	return h, &log
}

func TestRegisteredCallbackGetsTypedKwargs(t *testing.T) {
	t.Parallel()
	registerOnce("test.greeting", func(g greeting) (spinup.Callback, error) { return &g, nil })
	cfg := load(t, bare+"callback_config: {callback_class: test.greeting, callback_kwargs: {text: ab, times: 0b11}}\n")[0].Args.LLMConfigs[0]
	require.NoError(t, cfg.Validate())
	h, _ := newHooks(t, cfg)
	require.False(t, h.None())
	require.False(t, h.Independent())
	s := &spinup.ReplicaState{Values: map[string]any{}}
	require.NoError(t, h.Run(t.Context(), "OnReady", s, func(c spinup.Callback) error { return c.OnReady(t.Context(), s) }))
	require.Equal(t, "ababab", s.Values["greeting"])

	_, err := spinup.Load("c.yaml", strings.NewReader(bare+"callback_config:\n  callback_class: test.greeting\n  callback_kwargs:\n    txt: ab\n    times: many\n"))
	require.Equal(t, []string{
		"c.yaml:5:5 callback_config.callback_kwargs.txt: unknown field (did you mean text?)",
		"c.yaml:6:12 callback_config.callback_kwargs.times: want a whole number, have text",
	}, problems(err))
	_, err = spinup.NewHooks(withCallback(spinup.CallbackConfig{Class: "test.greeting", Kwargs: map[string]any{"times": "x"}}), slog.New(slog.DiscardHandler))
	require.ErrorIs(t, err, lifecycle.Invalid)
	require.ErrorContains(t, err, "callback_config.callback_kwargs.times")
}

func TestKwargsMayValidateThemselves(t *testing.T) {
	t.Parallel()
	registerOnce("test.picky", func(picky) (spinup.Callback, error) { return nil, nil })
	config := func(kwargs string) error {
		_, err := spinup.Load("c.yaml", strings.NewReader(bare+"callback_config: {callback_class: test.picky, callback_kwargs: "+kwargs+"}\n"))
		return err
	}
	require.NoError(t, config("{mood: fine, other: 1}"))
	require.Equal(t, []string{"c.yaml:2:64 callback_config.callback_kwargs.mood: no mood (be happy)"}, problems(config("{}")))
	require.Equal(t, []string{"c.yaml:2:64 callback_config.callback_kwargs: not like this"}, problems(config("{mood: bad}")))

	_, err := spinup.NewHooks(withCallback(spinup.CallbackConfig{Class: "test.picky"}), slog.New(slog.DiscardHandler))
	require.ErrorContains(t, err, "test.picky: its builder returned nil")
}

func TestRegisterPanics(t *testing.T) {
	t.Parallel()
	build := func(map[string]any) (spinup.Callback, error) { return spinup.NopCallback{}, nil }
	registerOnce("test.taken", build)
	require.PanicsWithValue(t, "spinup: the callback test.taken is registered already", func() { spinup.RegisterCallback("test.taken", build) })
	require.Panics(t, func() { spinup.RegisterCallback("CloudDownloader", build) })
	require.PanicsWithValue(t,
		"spinup: the callback test.misspelt: spinup_test.misspelt has a method OnRedy, which is no hook: did you mean OnReady?",
		func() {
			spinup.RegisterCallback("test.misspelt", func(m misspelt) (spinup.Callback, error) { return m, nil })
		})
}

// A method On… that is no hook would never be called: it is refused wherever it comes from.
func TestMethodsThatAreNoHooks(t *testing.T) {
	t.Parallel()
	err := withCallback(spinup.CallbackConfig{Instance: misspelt{}}).Validate()
	require.ErrorContains(t, err, "spinup_test.misspelt has a method OnRedy, which is no hook: did you mean OnReady?")
	err = withCallback(spinup.CallbackConfig{Instance: pointed{}}).Validate()
	require.ErrorContains(t, err, "spinup_test.pointed has a method OnDownload, which is no hook: hooks are OnAfterDownloadModelFilesDistributed, ")
	require.NoError(t, withCallback(spinup.CallbackConfig{Instance: once{}}).Validate())

	registerOnce("test.builds.misspelt", func(struct{}) (spinup.Callback, error) { return misspelt{}, nil })
	_, err = spinup.NewHooks(withCallback(spinup.CallbackConfig{Class: "test.builds.misspelt"}), slog.New(slog.DiscardHandler))
	require.ErrorIs(t, err, lifecycle.Invalid)
	require.ErrorContains(t, err, "OnRedy")
}

func TestNoCallback(t *testing.T) {
	t.Parallel()
	h, _ := newHooks(t, valid(nil))
	require.True(t, h.None())
	h, _ = newHooks(t, withCallback(spinup.CallbackConfig{Class: "CloudDownloader", Kwargs: map[string]any{"paths": []any{[]string{"s3://b", "/x"}}}}))
	require.True(t, h.Independent())
	_, err := spinup.NewHooks(withCallback(spinup.CallbackConfig{Class: "test.nowhere"}), slog.New(slog.DiscardHandler))
	require.ErrorContains(t, err, `no callback is registered as "test.nowhere" (register it with spinup.RegisterCallback before; registered are CloudDownloader`)
}

func TestErrorsOfHooks(t *testing.T) {
	t.Parallel()
	const secret = "canary-4711-secret"
	cfg := withCallback(spinup.CallbackConfig{Instance: &greeting{}})
	cfg.RuntimeEnv.EnvVars = lifecycle.EnvVars{"TOKEN": secret}
	h, log := newHooks(t, cfg)
	fail := func(err error) error {
		return h.Run(t.Context(), "OnReady", nil, func(spinup.Callback) error { return err })
	}

	err := fail(errors.New("no luck"))
	require.EqualError(t, err, "spinup.Callback OnReady of *spinup_test.greeting: unknown: no luck")
	cause := &lifecycle.Error{Op: "x", Kind: lifecycle.AccessDenied, Hint: "ask nicely"}
	err = fail(fmt.Errorf("fetching: %w", cause))
	require.ErrorIs(t, err, lifecycle.AccessDenied)
	require.ErrorIs(t, err, cause)
	err = fail(fmt.Errorf("key %s is wrong: %w", secret, cause))
	require.Equal(t, lifecycle.AccessDenied, lifecycle.KindOf(err))
	require.NotContains(t, fmt.Sprintf("%+v", err), secret)

	err = h.Run(t.Context(), "OnStop", nil, func(spinup.Callback) error { panic("lost " + secret) })
	require.EqualError(t, err, "spinup.Callback OnStop of *spinup_test.greeting: unknown: OnStop of *spinup_test.greeting panicked: lost [redacted]")
	require.Contains(t, log.String(), "goroutine")
	require.NotContains(t, log.String(), secret)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err = h.Run(ctx, "OnReady", nil, func(spinup.Callback) error { return ctx.Err() })
	require.ErrorIs(t, err, lifecycle.Canceled)
}

func TestErrorsOfHooksMayBeLoggedOnly(t *testing.T) {
	t.Parallel()
	h, log := newHooks(t, withCallback(spinup.CallbackConfig{Instance: &greeting{}, RaiseOnError: new(false)}))
	require.NoError(t, h.Run(t.Context(), "OnReady", nil, func(spinup.Callback) error { return errors.New("no luck") }))
	require.Contains(t, log.String(), "level=WARN")
	require.Contains(t, log.String(), "no luck")

	var own bytes.Buffer
	s := &spinup.ReplicaState{Log: slog.New(slog.NewTextHandler(&own, nil))}
	require.NoError(t, h.Run(t.Context(), "OnReady", s, func(spinup.Callback) error { panic("oh") }))
	require.Contains(t, own.String(), "OnReady of *spinup_test.greeting panicked: oh")
}

var registered sync.Map // names, as a test binary may run its tests more than once

func registerOnce[K any](name string, build func(K) (spinup.Callback, error)) {
	if _, before := registered.LoadOrStore(name, true); !before {
		spinup.RegisterCallback(name, build)
	}
}

// patient works for longer than a stage may be silent, and says how far it is.
type patient struct {
	spinup.NopCallback
	silent bool
	pause  time.Duration
}

func (p patient) OnReady(ctx context.Context, _ *spinup.ReplicaState) error {
	for i := range int64(8) {
		if !p.silent {
			spinup.Progress(ctx, i, 8, "still at it")
		}
		select {
		case <-time.After(p.pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// A limit that is to be kept leaves room for a busy machine.
func TestAHookMayTakeItsTimeWhereItTellsOfProgress(t *testing.T) {
	t.Parallel()
	for limit, p := range map[time.Duration]patient{
		3 * time.Second:        {pause: 500 * time.Millisecond},
		400 * time.Millisecond: {pause: 100 * time.Millisecond, silent: true},
	} {
		o, cfg := quiet(), tiny()
		o.StageLimits = map[lifecycle.Stage]time.Duration{lifecycle.StageCallback: limit}
		cfg.CallbackConfig.Instance = p
		d := begin(t, o, cfg)
		if err := d.Ready(t.Context()); p.silent {
			require.ErrorIs(t, err, lifecycle.Timeout)
		} else {
			require.NoError(t, err)
			told := awaitEvent(t, d, lifecycle.StageCallback, lifecycle.Progress)
			require.Equal(t, "still at it", told.Message)
		}
	}
	spinup.Progress(t.Context(), 1, 2, "outside a hook")
}

// deaf does not hear that its time is over.
type deaf struct {
	spinup.NopCallback
	until chan struct{}
}

func (d deaf) OnReady(context.Context, *spinup.ReplicaState) error {
	<-d.until
	return nil
}

func TestAHookThatDoesNotEndIsForgivenToo(t *testing.T) {
	t.Parallel()
	for _, raise := range []bool{false, true} {
		t.Run(fmt.Sprint("raise ", raise), func(t *testing.T) {
			t.Parallel()
			var log lockedBuffer
			o, cfg := &spinup.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}, tiny()
			o.StageLimits = map[lifecycle.Stage]time.Duration{lifecycle.StageCallback: time.Millisecond}
			until := make(chan struct{})
			t.Cleanup(func() { close(until) })
			cfg.CallbackConfig.Instance, cfg.CallbackConfig.RaiseOnError = deaf{until: until}, &raise
			d := begin(t, o, cfg)
			if err := d.Ready(t.Context()); raise {
				require.ErrorIs(t, err, lifecycle.Timeout)
				return
			}
			require.NoError(t, d.Ready(t.Context()))
			require.Contains(t, log.String(), "a callback failed and raise_error_on_callback is false")
			require.Contains(t, log.String(), "no progress for 1ms")
		})
	}
}
