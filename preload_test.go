//go:build linux

package spinup_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spinup-llm/spinup"
	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/internal/fakeengine"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

// preloading is a configuration of an engine that preloads; mark finds its processes.
func preloading(t *testing.T, dir, mark string) (*spinup.Options, *spinup.LLMConfig, chan struct{}) {
	t.Helper()
	hold := make(chan struct{})
	o := quiet()
	o.Engines = map[string]engine.Engine{"fake": fakeengine.Early{}}
	o.Sources, o.Cache = (&counting{dir: dir, hold: hold}).mux(), cache(t)
	cfg := tiny()
	cfg.LLMEngine, cfg.ModelLoadingConfig.ModelSource = "fake", spinup.From("count://model/tiny")
	cfg.EngineKwargs.Extra = map[string]any{"modes": mark}
	return o, cfg, hold
}

// processesOf counts the processes that have mark among their arguments.
func processesOf(t *testing.T, mark string) int {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(t, err)
	n := 0
	for _, f := range files {
		if line, err := os.ReadFile(f); err == nil && strings.Contains(string(line), mark) {
			n++
		}
	}
	return n
}

func TestTheEnginePreloadsWhileFilesArrive(t *testing.T) {
	t.Parallel()
	o, cfg, hold := preloading(t, tinyModel, "mark-of-beside")
	d := begin(t, o, cfg)
	imported := awaitEvent(t, d, lifecycle.StagePreload, lifecycle.End)
	require.Equal(t, 1, processesOf(t, "mark-of-beside"))
	close(hold)
	require.NoError(t, d.Ready(t.Context()))
	resolved := awaitEvent(t, d, lifecycle.StageResolve, lifecycle.End)
	require.True(t, imported.Time.Before(resolved.Time))
	tl := d.Timeline()
	for span := range tl.All() {
		require.False(t, span.Stage == lifecycle.StagePreload && span.Skipped, span.Message)
	}
	var path []lifecycle.Stage
	for span := range tl.CriticalPath("tiny#1") {
		path = append(path, span.Stage)
	}
	require.Contains(t, path, lifecycle.StageResolve, "the files were what the start waited for")
	require.NotContains(t, path[slices.Index(path, lifecycle.StageResolve):], lifecycle.StagePreload)
}

func TestAPreloadEndsWhenTheFilesAreWrong(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "model.safetensors"), nil, 0o600))
	o, cfg, hold := preloading(t, dir, "mark-of-wrong")
	d := begin(t, o, cfg)
	awaitEvent(t, d, lifecycle.StagePreload, lifecycle.End)
	close(hold)
	require.Error(t, d.Ready(t.Context()))
	require.Eventually(t, func() bool { return processesOf(t, "mark-of-wrong") == 0 }, 5*time.Second, 10*time.Millisecond)
}

// newEnvironment changes what a preload cannot take on any more.
type newEnvironment struct{ spinup.NopCallback }

func (newEnvironment) OnBeforeEngineStart(_ context.Context, s *spinup.ReplicaState) error {
	s.Spec.Env = lifecycle.EnvVars{"NEW": "1"}
	return nil
}

func TestAHookMayStillChangeTheEnvironment(t *testing.T) {
	t.Parallel()
	o, cfg, hold := preloading(t, tinyModel, "mark-of-change")
	cfg.CallbackConfig.Instance = newEnvironment{}
	close(hold)
	d := begin(t, o, cfg)
	require.NoError(t, d.Ready(t.Context()))
	require.Contains(t, awaitEvent(t, d, lifecycle.StagePreload, lifecycle.Skip).Message, "the environment has changed")
	require.Equal(t, 1, processesOf(t, "mark-of-change"))
}
