package vllm_test

import (
	"testing"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/engine/vllm"
	"github.com/spinup-llm/spinup/internal/randmodel"
	"github.com/stretchr/testify/require"
)

func TestOptionsOfASketch(t *testing.T) {
	t.Parallel()
	read := vllm.Options(installation(t).Path)
	for name, form := range map[string]string{
		"enforce_eager": "bool", "enable_prefix_caching": "bool", "log_stats": "switch", "hf_token": "optional",
		"max_model_len": "value", "distributed_executor_backend": "value", "cudagraph_capture_sizes": "list",
		"device_ids": "value", "lora_modules": "list", "chat_template": "value", "port": "value",
	} {
		require.Equal(t, form, read[name], name)
	}
	for _, ghost := range []string{"ghost", "local", "not_an_option", "help"} {
		require.NotContains(t, read, ghost)
	}
	require.Empty(t, vllm.Options(emptyInstallation(t).Path))
}

func TestShortListIsNotBelieved(t *testing.T) {
	t.Parallel()
	e := installation(t, map[string]string{"vllm/engine/arg_utils.py": "class EngineArgs:\n    model: str\n"})
	require.Empty(t, vllm.Options(e.Path))
}

func FuzzScanOptions(f *testing.F) {
	f.Add(argUtils())
	f.Add(cliArgs)
	f.Add(`class FrontendArgs: x: int add_argument("--a", `)
	f.Add("class EngineArgs\n    a: (((\n")
	f.Fuzz(func(t *testing.T, src string) {
		require.GreaterOrEqual(t, vllm.ScanOptions(src), 0)
	})
}

func FuzzScanLoaders(f *testing.F) {
	f.Add(loaderInit)
	f.Add("_LOAD_FORMAT_TO_MODEL_LOADER = {\n\"a\": B,\n}")
	f.Fuzz(func(t *testing.T, src string) {
		for name := range vllm.ScanLoaders(src) {
			require.NotEmpty(t, name)
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	e := installation(b)
	spec := engine.Spec{ModelID: "m", Dir: model(b, randmodel.Options{Shards: 8}), Kwargs: map[string]any{"max_model_len": 8192}}
	for b.Loop() {
		require.NoError(b, e.Check(spec))
	}
}
