package vllm_test

import (
	"testing"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/internal/randmodel"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

func TestCodeOfAnotherRepositoryMayBeFetched(t *testing.T) {
	t.Parallel()
	e := installation(t)
	dir := model(t, randmodel.Options{})
	edit(map[string]any{"auto_map": map[string]any{"AutoConfig": "org/x--conf.C"}})(t, dir)
	spec := engine.Spec{ModelID: "m", Dir: dir, Addr: "127.0.0.1:1", Kwargs: map[string]any{"trust_remote_code": true}}
	cmd, err := e.Command(spec)
	require.NoError(t, err)
	require.NotContains(t, cmd.Env, "HF_HUB_OFFLINE")
	spec.Kwargs = nil
	cmd, err = e.Command(spec)
	require.NoError(t, err)
	require.Contains(t, cmd.Env, "HF_HUB_OFFLINE")
}

func TestPartsOfAnotherRepositoryMayBeFetched(t *testing.T) {
	t.Parallel()
	e := installation(t)
	for _, draft := range []any{map[string]any{"model": "org/draft"}, `{"model": "org/draft"}`, nil} {
		dir := model(t, randmodel.Options{})
		spec := engine.Spec{ModelID: "m", Dir: dir, Addr: "127.0.0.1:1", Kwargs: map[string]any{"speculative_config": draft}}
		if draft == nil {
			edit(map[string]any{"text_model_id": "org/text"})(t, dir)
		}
		cmd, err := e.Command(spec)
		require.NoError(t, err)
		require.NotContains(t, cmd.Env, "HF_HUB_OFFLINE")
	}
}

func TestAdaptersOfTheHubMayBeFetched(t *testing.T) {
	t.Parallel()
	e := installation(t)
	dir := model(t, randmodel.Options{})
	type module struct {
		Name string `json:"name"`
		Path string `json:"path"`
	}
	for name, hub := range map[string][]any{
		"lora_modules": {
			[]any{map[string]any{"name": "a", "path": "/here"}, map[string]any{"name": "b", "path": "org/b"}},
			[]module{{"a", "org/a"}},
			[]string{"a=org/a"},
			[]any{`{"name":"a","path":"org/a"}`},
			`{"name":"a","path":"org/a"}`,
		},
		"default_mm_loras": {map[string]any{"image": "/here", "audio": "org/audio"}, map[string]string{"audio": "org/audio"}, `{"audio":"org/audio"}`},
	} {
		for _, value := range hub {
			spec := engine.Spec{ModelID: "m", Dir: dir, Addr: "127.0.0.1:1", Kwargs: map[string]any{name: value}}
			cmd, err := e.Command(spec)
			require.NoError(t, err)
			require.NotContains(t, cmd.Env, "HF_HUB_OFFLINE", "%v", value)
		}
	}
	for name, here := range map[string]any{
		"lora_modules": []any{map[string]any{"name": "a", "path": "/here"}, "b=/there"}, "default_mm_loras": map[string]any{"audio": "/here"},
	} {
		spec := engine.Spec{ModelID: "m", Dir: dir, Addr: "127.0.0.1:1", Kwargs: map[string]any{name: here}}
		cmd, err := e.Command(spec)
		require.NoError(t, err)
		require.Contains(t, cmd.Env, "HF_HUB_OFFLINE", "%v", here)
	}
}

// vLLM's own key would shut its door to ours, and accelerators that nobody gave are not seen.
func TestWhatTheEngineMustNotHave(t *testing.T) {
	t.Parallel()
	spec := engine.Spec{
		ModelID: "m", Dir: model(t, randmodel.Options{}), Addr: "127.0.0.1:1", Env: lifecycle.EnvVars{"VLLM_API_KEY": "x"},
	}
	cmd, err := installation(t).Command(spec)
	require.NoError(t, err)
	require.NotContains(t, cmd.Env, "VLLM_API_KEY")
	require.Contains(t, cmd.Env, "CUDA_VISIBLE_DEVICES")
	require.Empty(t, cmd.Env["CUDA_VISIBLE_DEVICES"])
	spec.Devices = []string{"1", "0"}
	cmd, err = installation(t).Command(spec)
	require.NoError(t, err)
	require.Equal(t, "1,0", cmd.Env["CUDA_VISIBLE_DEVICES"])
	require.Equal(t, "PCI_BUS_ID", cmd.Env["CUDA_DEVICE_ORDER"])
}
