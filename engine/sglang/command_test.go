package sglang_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spinup-llm/spinup/engine/sglang"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

func TestOptionsOfSources(t *testing.T) {
	t.Parallel()
	o := installation(t).Options()
	for name, want := range map[string]string{
		"model": "value", "context_length": "value", "is_embedding": "switch", "skip_tokenizer_init": "switch", "tp_size": "value",
		"tensor_parallel_size": "value", "fp8_gemm_backend": "value", "enable_tf32_matmul": "bool", "cuda_graph_bs": "list",
		"lora_paths": "list", "forward_hooks": "value", "sampling_backend": "value", "disable_cuda_graph": "switch", "config": "value",
		"derived": "", "field_in_the_docs": "", "fp8_gemm_runner_backend": "", "hidden_from_all": "", "not_an_option": "", "cuda_graph_backend": "",
	} {
		require.Equal(t, want, o[name], name)
	}
}

const (
	start = "serve --model-path /models/tiny --served-model-name tiny --host 127.0.0.1 --port 8001"
	onCPU = " --device cpu"
	quiet = " --uvicorn-access-log-exclude-prefixes /health /v1/loads"
)

func TestCommandLine(t *testing.T) {
	t.Parallel()
	e := installation(t)
	for name, c := range map[string]struct {
		kwargs map[string]any
		want   string // after start
	}{
		"none":         {nil, onCPU + quiet},
		"values":       {map[string]any{"context_length": 8192, "mem_fraction_static": 0.8}, onCPU + quiet + " --context-length 8192 --mem-fraction-static 0.8"},
		"switches":     {map[string]any{"is_embedding": true, "skip_tokenizer_init": false}, onCPU + quiet + " --is-embedding"},
		"both ways":    {map[string]any{"enable_tf32_matmul": false}, onCPU + quiet + " --no-enable-tf32-matmul"},
		"lists":        {map[string]any{"cuda_graph_bs": []int{1, 2}}, onCPU + quiet + " --cuda-graph-bs 1 2"},
		"JSON":         {map[string]any{"json_model_override_args": map[string]any{"a": 1}, "forward_hooks": []any{1}}, onCPU + quiet + ` --forward-hooks [1] --json-model-override-args {"a":1}`},
		"nil":          {map[string]any{"context_length": (*int)(nil)}, onCPU + quiet},
		"the user's":   {map[string]any{"device": "cpu", "uvicorn_access_log_exclude_prefixes": []any{"/x"}}, " --device cpu --uvicorn-access-log-exclude-prefixes /x"},
		"another name": {map[string]any{"data_parallel_size": 2}, onCPU + quiet + " --data-parallel-size 2"},
		"its own name": {map[string]any{"fp8_gemm_backend": "triton"}, onCPU + quiet + " --fp8-gemm-backend triton"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := kwargs()
			spec.Dir, spec.Addr, spec.Kwargs = "/models/tiny", "127.0.0.1:8001", c.kwargs
			cmd, err := e.Command(spec)
			require.NoError(t, err)
			require.Equal(t, start+c.want, strings.Join(cmd.Args, " "))
		})
	}
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	e := installation(t)
	spec := kwargs("tensor_parallel_size", 2)
	spec.Addr, spec.Devices = "127.0.0.1:1", []string{"2", "3"}
	spec.Env = lifecycle.EnvVars{"HF_HUB_OFFLINE": "0"}
	cmd, err := e.Command(spec)
	require.NoError(t, err)
	require.Equal(t, "2,3", cmd.Env["CUDA_VISIBLE_DEVICES"])
	require.Equal(t, "0", cmd.Env["HF_HUB_OFFLINE"], "env_vars win")
	require.NotContains(t, cmd.Env, "SGLANG_USE_CPU_ENGINE")
	require.NotContains(t, strings.Join(cmd.Args, " "), "--device")
	require.True(t, strings.HasPrefix(cmd.Env["PATH"], filepath.Dir(e.Path)))

	spec = kwargs()
	spec.Addr, spec.CPUs = "127.0.0.1:1", []int{4, 5}
	cmd, err = e.Command(spec)
	require.NoError(t, err)
	require.Equal(t, "1", cmd.Env["SGLANG_USE_CPU_ENGINE"])
	require.Equal(t, "4,5", cmd.Env["SGLANG_CPU_OMP_THREADS_BIND"])
	require.Equal(t, "2", cmd.Env["OMP_NUM_THREADS"])
	require.NotNil(t, cmd.Warmup)
	spec.Kwargs["is_embedding"] = true
	cmd, err = e.Command(spec)
	require.NoError(t, err)
	require.Nil(t, cmd.Warmup)
}

func TestWrongOptions(t *testing.T) {
	t.Parallel()
	e := installation(t)
	for name, c := range map[string]struct {
		value any
		hint  string
	}{
		"contxt_length":  {1, `"context_length"`},
		"max_model_len":  {8192, "context_length"},
		"qqqq":           {1, "--help"},
		"host":           {"0.0.0.0", "the host chooses"},
		"tp_size":        {2, "tensor_parallel_size"},
		"pp_size":        {2, "pipeline_parallel_size"},
		"dp_size":        {2, "data_parallel_size"},
		"api_key":        {"x", "where clients come in"},
		"is_embedding":   {"yes", "--help"},
		"context_length": {true, "--help"},
		"load_format":    {"runai_streamer", "fetched first"},
	} {
		err := e.CheckKwargs(kwargs(name, c.value))
		require.ErrorIs(t, err, lifecycle.Invalid, name)
		require.ErrorContains(t, err, "engine_kwargs."+name)
		require.ErrorContains(t, err, c.hint)
	}
	spec := kwargs()
	spec.ModelID = "tiny:latest"
	require.ErrorContains(t, e.CheckKwargs(spec), "without a colon")
}

// Where the sources are not found, values alone decide, and the first stage says so.
func TestUnknownInstallation(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "sglang")
	require.NoError(t, os.WriteFile(program, []byte("#!/bin/sh\n"), 0o755))
	e := sglang.Engine{Path: program}
	spec := kwargs("brand_new", 1, "on", true, "off", false, "list", []any{1, 2})
	require.NoError(t, e.CheckKwargs(spec))
	spec.Addr = "127.0.0.1:8001"
	cmd, err := e.Command(spec)
	require.NoError(t, err)
	require.Contains(t, strings.Join(cmd.Args, " "), "--device cpu --brand-new 1 --list 1 2 --on")
	events := e.NewParser(spec).Parse([]byte("[2026-11-29 20:01:30] server_args={'api': 1}"))
	require.Len(t, events, 2)
	require.Contains(t, events[1].Message, "unchecked")

	require.ErrorIs(t, sglang.Engine{Path: "/no/sglang"}.CheckKwargs(kwargs()), lifecycle.NotFound)
}
