package vllm_test

import (
	"encoding/json"
	"maps"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/engine/vllm"
	"github.com/spinup-llm/spinup/internal/randmodel"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

// known is an installation whose internals the launcher knows.
func known(tb testing.TB) vllm.Engine {
	tb.Helper()
	return installation(tb, map[string]string{"vllm/_version.py": "__version__ = version = '0.32.0+cpu'\n"})
}

func TestPreloadCommand(t *testing.T) {
	t.Setenv("PYTHONDONTWRITEBYTECODE", "1")
	e := known(t)
	spec := engine.Spec{
		ModelID: "m", CPUs: []int{2, 3}, Kwargs: map[string]any{"hf_token": "hf_canary"},
		Env: lifecycle.EnvVars{"MINE": "canary", "OPENBLAS_NUM_THREADS": "2"},
	}
	cmd, err := e.Preload(spec)
	require.NoError(t, err)
	require.Equal(t, filepath.Join(filepath.Dir(e.Path), "python3"), cmd.Path)
	require.Equal(t, []string{e.Path, "0.32.0"}, cmd.Args[len(cmd.Args)-2:])
	require.NotContains(t, strings.Join(cmd.Args, " "), "canary", "every user can read arguments")
	require.NotContains(t, strings.Join(cmd.Args, " "), "VLLM::", "it would be taken for a process that vLLM makes")
	for name, want := range map[string]string{
		"MINE": "canary", "HF_TOKEN": "hf_canary", "VLLM_CPU_OMP_THREADS_BIND": "2,3", "TORCHINDUCTOR_COMPILE_THREADS": "1",
		"OPENBLAS_NUM_THREADS": "2",
	} {
		require.Equal(t, want, cmd.Env[name], name)
	}
	require.NotContains(t, cmd.Env, "PYTHONDONTWRITEBYTECODE", "bytecode is kept")

	spec.Devices = []string{"0"}
	cmd, err = e.Preload(spec)
	require.NoError(t, err, "the launcher says what it does there")
	require.NotContains(t, cmd.Env, "TORCHINDUCTOR_COMPILE_THREADS")
}

func TestPreloadBringsTheAllocator(t *testing.T) {
	t.Parallel()
	e := installation(t, map[string]string{
		"vllm/_version.py": "__version__ = version = \"0.32.0\"\n", "vllm/libs/libtcmalloc_minimal.so.4": "",
	})
	cmd, err := e.Preload(engine.Spec{})
	require.NoError(t, err)
	require.Contains(t, cmd.Env["LD_PRELOAD"], "libtcmalloc_minimal.so.4")
}

func TestPreloadIsRefused(t *testing.T) {
	t.Parallel()
	plain := known(t)
	plain.Plain = true
	noPython := known(t)
	write(t, filepath.Dir(noPython.Path), "vllm", "#!/usr/bin/env vllm-python\n")
	for why, e := range map[string]vllm.Engine{
		"vLLM 0.33.1":    installation(t, map[string]string{"vllm/_version.py": "__version__ = version = '0.33.1'\n"}),
		"were not found": emptyInstallation(t),
		"Plain is set":   plain,
		"no Python":      noPython,
		"no-such-vllm":   {Path: "/no-such-vllm"},
	} {
		_, err := e.Preload(engine.Spec{})
		require.ErrorContains(t, err, why)
		require.NotEqual(t, lifecycle.Unknown, lifecycle.KindOf(err))
	}
}

func TestBecome(t *testing.T) {
	t.Parallel()
	e := known(t)
	spec := engine.Spec{ModelID: "m", Env: lifecycle.EnvVars{"MINE": "1"}}
	preloaded, err := e.Preload(spec)
	require.NoError(t, err)
	spec.Dir, spec.Addr = model(t, randmodel.Options{}), "127.0.0.1:8001"
	spec.Trace = engine.Trace{Traceparent: "00-a-b-01", Endpoint: &url.URL{Scheme: "http", Host: "127.0.0.1:4318"}}
	cmd, err := e.Command(spec)
	require.NoError(t, err)
	line, err := e.Become(preloaded, cmd)
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(string(line), "\n"))
	var order struct {
		Argv []string
		Env  map[string]*string
	}
	require.NoError(t, json.Unmarshal(line, &order))
	require.Equal(t, cmd.Args, order.Argv)
	env := maps.Clone(preloaded.Env)
	for name, value := range order.Env {
		if value == nil {
			delete(env, name)
			continue
		}
		env[name] = *value
	}
	require.Equal(t, cmd.Env.Environ(), env.Environ(), "the environment is that of a plain start")
	require.NotContains(t, order.Env, "MINE")
}

func TestWhatIsReadByImportsCannotChange(t *testing.T) {
	t.Parallel()
	e := known(t)
	spec := engine.Spec{ModelID: "m", Addr: "127.0.0.1:8001", Dir: "/m", Env: lifecycle.EnvVars{"MINE": "1", "OTHER": "1"}}
	preloaded, err := e.Preload(spec)
	require.NoError(t, err)
	s3 := &url.URL{Scheme: "s3", Host: "b", Path: "/m"}
	for why, change := range map[string]func(*engine.Spec){
		"changed in MINE":  func(s *engine.Spec) { s.Env = lifecycle.EnvVars{"MINE": "2", "OTHER": "1"} },
		"changed in OTHER": func(s *engine.Spec) { s.Env = lifecycle.EnvVars{"MINE": "1"} },
		"changed in VLLM_LOGGING_LEVEL": func(s *engine.Spec) {
			s.Env = lifecycle.EnvVars{"MINE": "1", "OTHER": "1", "VLLM_LOGGING_LEVEL": "DEBUG"}
		},
		"changed in CUDA_VISIBLE_DEVICES": func(s *engine.Spec) { s.Devices = []string{"0"} },
		"": func(s *engine.Spec) {
			s.Weights, s.Env = s3, lifecycle.EnvVars{"MINE": "1", "OTHER": "1", "AWS_ACCESS_KEY_ID": "id", "VLLM_CACHE_ROOT": "/c"}
		},
	} {
		changed := spec
		change(&changed)
		cmd, cmdErr := e.Command(changed)
		require.NoError(t, cmdErr)
		_, cannot := e.Become(preloaded, cmd)
		if why == "" {
			require.NoError(t, cannot)
			continue
		}
		require.ErrorContains(t, cannot, why)
	}
	spec.CPUs = []int{1} // of a standby that waits for whichever share becomes free
	requireBecomes(t, e, preloaded, spec)
	spec.Devices = []string{"0"}
	preloaded, err = e.Preload(spec)
	require.NoError(t, err)
	spec.Devices = []string{"2", "3"}
	requireBecomes(t, e, preloaded, spec)
	_, err = e.Become(preloaded, engine.Command{Path: "/another/vllm"})
	require.ErrorContains(t, err, "/another/vllm")
}

func requireBecomes(t *testing.T, e vllm.Engine, preloaded engine.Command, spec engine.Spec) {
	t.Helper()
	cmd, err := e.Command(spec)
	require.NoError(t, err)
	_, err = e.Become(preloaded, cmd)
	require.NoError(t, err)
}

func TestParserTakesTheLaunchersWord(t *testing.T) {
	t.Parallel()
	p := known(t).NewParser(engine.Spec{})
	events := p.Parse([]byte("spinup preload: imported; workers are forked"))
	require.Equal(t, []lifecycle.Event{
		{Stage: lifecycle.StagePreload, Phase: lifecycle.Progress, Message: "imported; workers are forked"},
		{Stage: lifecycle.StagePreload, Phase: lifecycle.End},
	}, events)
	events = p.Parse([]byte("(APIServer pid=7) INFO 11-23 20:32:54 [api_utils.py:286] non-default args: {}"))
	require.True(t, slices.ContainsFunc(events, func(e lifecycle.Event) bool { return e.Stage == lifecycle.StageEngineConfig }))
	require.Empty(t, p.Parse([]byte("spinup preload: imported; workers are forked")), "a model's words do not count")
}
