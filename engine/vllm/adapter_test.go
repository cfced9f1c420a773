package vllm_test

import (
	"strings"
	"testing"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/engine/vllm"
	"github.com/spinup-llm/spinup/internal/randmodel"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

func TestAdaptersAreAskedFor(t *testing.T) {
	t.Parallel()
	e := emptyInstallation(t)
	for name, c := range map[string]struct {
		adapters int
		kwargs   map[string]any
		want     string
	}{
		"none":             {0, nil, ""},
		"all in a batch":   {4, nil, "--enable-lora --max-loras 4"},
		"as the user says": {4, map[string]any{"max_loras": 8, "max_lora_rank": 64, "enable_lora": true}, "--enable-lora --max-lora-rank 64 --max-loras 8"},
		"more than fit":    {4, map[string]any{"max_loras": 2}, "--enable-lora --max-cpu-loras 4 --max-loras 2"},
		"with less memory": {4, map[string]any{"max_loras": 1, "max_cpu_loras": 2}, "--enable-lora --max-cpu-loras 2 --max-loras 1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd, err := e.Command(engine.Spec{ModelID: "m", Dir: "/m", Addr: "127.0.0.1:8001", Kwargs: c.kwargs, Adapters: c.adapters})
			require.NoError(t, err)
			_, rest, _ := strings.Cut(strings.Join(cmd.Args, " "), "--port 8001")
			require.Equal(t, c.want, strings.TrimSpace(rest))
			require.Equal(t, c.adapters > 0, cmd.Env["VLLM_ALLOW_RUNTIME_LORA_UPDATING"] == "1")
		})
	}
	err := e.CheckKwargs(engine.Spec{ModelID: "m", Adapters: 4, Kwargs: map[string]any{"enable_lora": false}})
	require.ErrorIs(t, err, lifecycle.Invalid)
	require.ErrorContains(t, err, "engine_kwargs.enable_lora")
}

func TestCheckAdapter(t *testing.T) {
	t.Parallel()
	model := t.TempDir()
	require.NoError(t, randmodel.Write(model, randmodel.Options{}))
	for name, c := range map[string]struct {
		adapter randmodel.AdapterOptions
		kwargs  map[string]any
		says    string // "" where it is fine
	}{
		"fits":             {randmodel.AdapterOptions{Rank: 16}, nil, ""},
		"too high a rank":  {randmodel.AdapterOptions{Rank: 17}, nil, "its rank is 17, and max_lora_rank is 16 (set engine_kwargs.max_lora_rank to 32)"},
		"a rank allowed":   {randmodel.AdapterOptions{Rank: 17}, map[string]any{"max_lora_rank": 32}, ""},
		"higher than ever": {randmodel.AdapterOptions{Rank: 600}, map[string]any{"max_lora_rank": 512}, "make the adapter's smaller"},
		"for another":      {randmodel.AdapterOptions{Model: randmodel.Options{Hidden: 512}}, nil, "made for another model"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			require.NoError(t, randmodel.WriteAdapter(dir, c.adapter))
			err := vllm.Engine{}.CheckAdapter(engine.Spec{Dir: model, Kwargs: c.kwargs, Adapters: 1}, engine.Adapter{Name: "m:a", Dir: dir})
			if c.says == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, lifecycle.Invalid)
			require.ErrorContains(t, err, c.says)
		})
	}
}

func TestAdapterCalls(t *testing.T) {
	t.Parallel()
	a := engine.Adapter{Name: "m:sql", Dir: "/a"}
	load, unload := vllm.Engine{}.LoadAdapter(a), vllm.Engine{}.UnloadAdapter(a)
	require.Equal(t, "/v1/load_lora_adapter", load.Path)
	require.JSONEq(t, `{"lora_name":"m:sql","lora_path":"/a"}`, string(load.Body))
	require.Equal(t, "/v1/unload_lora_adapter", unload.Path)
	require.JSONEq(t, `{"lora_name":"m:sql"}`, string(unload.Body))
}
