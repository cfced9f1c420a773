package vllm_test

import (
	"maps"
	"testing"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/engine/vllm"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

// cacheKey is that of a spec on a CPU with two cores, with changes.
func cacheKey(t *testing.T, change func(*engine.Spec)) (map[string]string, error) {
	t.Helper()
	spec := engine.Spec{
		ModelID: "m", CPUs: []int{0, 1},
		Kwargs: map[string]any{"max_model_len": 512, "compilation_config": map[string]any{"mode": 3}},
		Env:    lifecycle.EnvVars{"HF_TOKEN": "canary-5d1f", "VLLM_API_KEY": "canary-5d1f"},
	}
	change(&spec)
	return installation(t, map[string]string{
		"vllm/_version.py": "__version__ = version = '0.32.0+cpu'\n", "torch/version.py": "__version__ = '2.13.0+cu130'\n",
	}).CacheKey(spec)
}

func TestTheKeyHasWhatMatters(t *testing.T) {
	t.Parallel()
	key, err := cacheKey(t, func(*engine.Spec) {})
	require.NoError(t, err)
	for _, name := range []string{"engine", "torch", "python", "system", "hardware", "threads", "kwargs", "env_vars"} {
		require.NotEmpty(t, key[name], name)
	}
	require.NotContains(t, key, "canary")
	for name, change := range map[string]func(*engine.Spec){
		"tokenizer":   func(s *engine.Spec) { s.Kwargs["tokenizer"] = "/elsewhere" },
		"seed":        func(s *engine.Spec) { s.Kwargs["seed"] = 3 },
		"nothing":     func(s *engine.Spec) { s.Kwargs["max_num_seqs"] = nil },
		"folder":      func(s *engine.Spec) { s.Dir, s.Addr, s.CacheDir = "/m", "127.0.0.1:1", "/c" },
		"other cores": func(s *engine.Spec) { s.CPUs = []int{4, 5} },
		"a secret":    func(s *engine.Spec) { s.Env["HF_TOKEN"], s.Env["VLLM_API_KEY"] = "b", "c" },
		"memory":      func(s *engine.Spec) { s.Env["VLLM_CPU_KVCACHE_SPACE"] = "3" },
	} {
		same, err := cacheKey(t, change)
		require.NoError(t, err, name)
		require.Equal(t, key, same, name)
	}
	for name, change := range map[string]func(*engine.Spec){
		"a kwarg":      func(s *engine.Spec) { s.Kwargs["max_model_len"] = 1024 },
		"compilation":  func(s *engine.Spec) { s.Kwargs["compilation_config"] = map[string]any{"mode": 0} },
		"an env_var":   func(s *engine.Spec) { s.Env["VLLM_USE_AOT_COMPILE"] = "1" },
		"the compiler": func(s *engine.Spec) { s.Env["TORCHINDUCTOR_FREEZING"] = "1" },
		"more cores":   func(s *engine.Spec) { s.CPUs = []int{0, 1, 2, 3} },
	} {
		other, err := cacheKey(t, change)
		require.NoError(t, err, name)
		require.NotEqual(t, key, other, name)
		require.True(t, maps.EqualFunc(key, other, func(a, b string) bool { return (a == "") == (b == "") }))
	}
}

func TestTheUsersOwnCacheIsLeftAlone(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*engine.Spec){
		"compilation_config.cache_dir": func(s *engine.Spec) { s.Kwargs["compilation_config"] = map[string]any{"cache_dir": "/c"} },
		"VLLM_CACHE_ROOT":              func(s *engine.Spec) { s.Env["VLLM_CACHE_ROOT"] = "/c" },
		"TORCHINDUCTOR_CACHE_DIR":      func(s *engine.Spec) { s.Env["TORCHINDUCTOR_CACHE_DIR"] = "/c" },
	} {
		_, err := cacheKey(t, change)
		require.ErrorIs(t, err, lifecycle.Invalid)
		require.ErrorContains(t, err, name)
	}
	_, err := cacheKey(t, func(s *engine.Spec) { s.Devices = []string{"0"} })
	if err != nil { // where there is no such device
		require.ErrorContains(t, err, "hardware is unknown")
	}
}

func TestWhatIsKeptOfTheCache(t *testing.T) {
	t.Parallel()
	for path, kept := range map[string]bool{
		"modelinfos/vllm-model_executor-models-llama.json":        true,
		"inductor/ab/cabcd.main.so":                               true,
		"inductor/fxgraph/ab/c/entry":                             true,
		"torch_compile_cache/torch_aot_compile/9f/rank_0_0/model": true,
		"inductor/locks/cabc.lock":                                false,
		"inductor/ab/.123.140.tmp":                                false,
		"inductor/ab/__pycache__/cab.cpython-311.pyc":             false,
		"assets/model_streamer/1f/config.json":                    false,
		"gpu_p2p_access_cache_for_0,1.json":                       false,
		"startup_plan/startup_plan_1.json":                        false,
	} {
		require.Equal(t, kept, vllm.Engine{}.Cached(path), path)
	}
}
