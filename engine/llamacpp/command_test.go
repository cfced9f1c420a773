package llamacpp_test

import (
	"strings"
	"testing"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/engine/llamacpp"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

// argv is the command line of e for spec, with DIR for the model's folder.
func argv(t *testing.T, e engine.Engine, spec engine.Spec) string {
	t.Helper()
	spec.Addr = "127.0.0.1:8001"
	cmd, err := e.Command(spec)
	require.NoError(t, err)
	return strings.ReplaceAll(strings.Join(cmd.Args, " "), spec.Dir, "DIR")
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	e, dir := installation(t), model(t, nil)
	const start = "--model DIR/tiny.gguf --alias tiny --host 127.0.0.1 --port 8001 --metrics --no-webui --log-verbosity 4 --device none"
	for name, c := range map[string]struct {
		kwargs map[string]any
		want   string // after start
	}{
		"none":                {nil, ""},
		"values":              {map[string]any{"ctx_size": 8192, "temp": 0.5, "cache_type_k": "q8_0"}, " --cache-type-k q8_0 --ctx-size 8192 --temp 0.5"},
		"flags both ways":     {map[string]any{"mlock": true, "mmap": false, "no_warmup": true}, " --mlock --no-mmap --no-warmup"},
		"no negation":         {map[string]any{"embeddings": false, "no_host": false}, ""},
		"on and off":          {map[string]any{"flash_attn": true, "fit": "off"}, " --fit off --flash-attn on"},
		"lists":               {map[string]any{"tensor_split": []any{3, 1}, "control_vector_layer_range": []int{2, 8}}, " --control-vector-layer-range 2 8 --tensor-split 3,1"},
		"maps":                {map[string]any{"chat_template_kwargs": map[string]any{"thinking": true}}, ` --chat-template-kwargs {"thinking":true}`},
		"nil":                 {map[string]any{"seed": nil, "parallel": (*int)(nil)}, ""},
		"files of the folder": {map[string]any{"chat_template_file": "chat.jinja", "lora": "/loras/a.gguf"}, " --chat-template-file DIR/chat.jinja --lora /loras/a.gguf"},
		"the host's own":      {map[string]any{"model_file": "tiny*", "tensor_parallel_size": 2}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, start+c.want, argv(t, e, engine.Spec{ModelID: "tiny", Dir: dir, Kwargs: c.kwargs}))
		})
	}
}

func TestCommandLineOnAccelerators(t *testing.T) {
	t.Parallel()
	e := installation(t)
	spec := kwargs(folder(t, "big-00001-of-00002.gguf big-00002-of-00002.gguf mmproj-big.gguf"), "webui", true, "verbosity", 3, "threads", 9)
	spec.Devices, spec.CPUs = []string{"2", "3"}, []int{4, 5, 6}
	require.Equal(t, "--model DIR/big-00001-of-00002.gguf --alias tiny --host 127.0.0.1 --port 8001 --metrics --threads 9 --verbosity 3 --webui", argv(t, e, spec))
	delete(spec.Kwargs, "threads")
	require.Contains(t, argv(t, e, spec), "--threads 3")
	spec.Addr = "127.0.0.1:1"
	cmd, err := e.Command(spec)
	require.NoError(t, err)
	require.Equal(t, "2,3", cmd.Env["CUDA_VISIBLE_DEVICES"])
	require.Equal(t, "/v1/completions", cmd.Warmup.Path)
	spec.Kwargs["embeddings"] = true
	cmd, err = e.Command(spec)
	require.NoError(t, err)
	require.Nil(t, cmd.Warmup, "a model of embeddings writes nothing")
}

func TestWrongOptions(t *testing.T) {
	t.Parallel()
	e := installation(t)
	for name, c := range map[string]struct {
		value any
		hint  string
	}{
		"ctx_sise":        {1, `"ctx_size"`},
		"max_model_len":   {8192, "ctx_size"},
		"quite_new":       {1, "LLAMA_ARG_QUITE_NEW"},
		"model":           {"a.gguf", "model_file"},
		"host":            {"0.0.0.0", "the host chooses"},
		"hf_repo":         {"org/name", "model_source"},
		"api_key":         {"x", "where clients come in"},
		"mlock":           {"yes", "true or false"},
		"ctx_size":        {true, "--help"},
		"list_devices":    {true, "print something and end"},
		"tensor_parallel": {2, `"tensor_parallel_size"`},
	} {
		err := e.CheckKwargs(kwargs("", name, c.value))
		require.ErrorIs(t, err, lifecycle.Invalid, name)
		require.ErrorContains(t, err, "engine_kwargs."+name)
		require.ErrorContains(t, err, c.hint)
	}
	require.NoError(t, e.CheckKwargs(kwargs("", "ctx_size", 8192, "model_file", "*Q4*")))
}

func TestNoProgram(t *testing.T) {
	t.Parallel()
	err := llamacpp.Engine{Path: "/nowhere/llama-server"}.CheckKwargs(kwargs(""))
	require.ErrorIs(t, err, lifecycle.NotFound)
	require.ErrorContains(t, err, llamacpp.PathVariable)
	cmd, err := llamacpp.Engine{Path: "llama-server-of-a-pod"}.Command(engine.Spec{Dir: folder(t, "a.gguf"), Addr: "127.0.0.1:1"})
	require.NoError(t, err)
	require.Equal(t, "llama-server-of-a-pod", cmd.Path)
}
