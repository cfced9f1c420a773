package llamacpp_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/engine/llamacpp"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

// feed parses a recording and returns the stages that it began.
func feed(t *testing.T, file string) (p engine.Parser, stages string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", file))
	require.NoError(t, err)
	p = llamacpp.Engine{}.NewParser(engine.Spec{})
	var names []string
	for line := range bytes.SplitSeq(text, []byte("\n")) {
		for _, e := range p.Parse(line) {
			require.Equal(t, lifecycle.Begin, e.Phase)
			names = append(names, string(e.Stage))
		}
	}
	return p, strings.Join(names, " ")
}

// Recordings of build 10434 on a CPU.
func TestRecordedStarts(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"start":       "load_weights profile_memory load_weights kv_cache empty_run start_server",
		"start-quiet": "load_weights start_server",
		"serve":       "load_weights profile_memory load_weights kv_cache empty_run start_server",
	} {
		p, stages := feed(t, "logs/"+name+".txt")
		require.Equal(t, want, stages, name)
		require.ErrorContains(t, p.Explain(128+9), "was killed", "what was said while it served is no cause")
	}
}

func TestStageTellsFacts(t *testing.T) {
	t.Parallel()
	p := llamacpp.Engine{}.NewParser(engine.Spec{})
	events := p.Parse([]byte("llama_model_loader: loaded meta data with 23 key-value pairs and 56 tensors from /models/tiny.gguf (version GGUF V3 (latest))"))
	require.Len(t, events, 1)
	require.Contains(t, events[0].Message, "56 tensors")
}

// Recordings of build 10434 that fails: the true cause's line, and those that follow from it.
func TestRecordedFailures(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct {
		kind              lifecycle.Kind
		target, say, hint string
	}{
		"nofile":  {lifecycle.MissingFile, "/models/nosuch.gguf", "failed to open GGUF file", "not there"},
		"trunc":   {lifecycle.Corrupt, "the model's file", "not within the file bounds", "fetch it again"},
		"trunc2":  {lifecycle.Corrupt, "the model's file", "failed to read key-value pairs", "fetch it again"},
		"html":    {lifecycle.Corrupt, "the model's file", "invalid magic", "fetch it again"},
		"shard":   {lifecycle.MissingFile, "/models/split-00002-of-00002.gguf", "failed to open GGUF file", ""},
		"arch":    {lifecycle.Invalid, "nosuch", "unknown model architecture", "update llama.cpp"},
		"badflag": {lifecycle.Invalid, "engine_kwargs", "invalid argument: --no-such-flag", "no --no-such-flag"},
		"badval":  {lifecycle.Invalid, "engine_kwargs", `"--ctx-size": stoi`, "--ctx-size a value"},
		"badtype": {lifecycle.Invalid, "engine_kwargs", "Unsupported cache type: q9", "--cache-type-k a value"},
		"fa":      {lifecycle.Invalid, "engine_kwargs.cache_type_v", "requires flash_attn", "flash_attn: on"},
		"tmpl":    {lifecycle.Invalid, "engine_kwargs.chat_template", "failed to initialize chat template", "mend"},
		"lora":    {lifecycle.MissingFile, "/models/nosuch.gguf", "failed to open", ""},
		"mmproj":  {lifecycle.MissingFile, "/models/nosuch.gguf", "failed to open", ""},
		"nomem":   {lifecycle.NoSpace, "memory", "insufficient memory", "ctx_size"},
		"port":    {lifecycle.Unavailable, "127.0.0.1:29912", "couldn't bind", "free port"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, _ := feed(t, "failures/"+name+".txt")
			e := p.Explain(1)
			require.Equal(t, want.kind, e.Kind, "%v", e)
			require.Equal(t, want.target, e.Target, "%v", e)
			require.ErrorContains(t, e.Err, want.say)
			require.Contains(t, e.Hint, want.hint)
		})
	}
}

// Lines that were not recorded: a GPU's, from the sources of llama.cpp.
func TestWrittenFailures(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]lifecycle.Kind{
		"0.01.000.000 E ggml_backend_cuda_buffer_type_alloc_buffer: allocating 9000.00 MiB on device 0: cudaMalloc failed: out of memory": lifecycle.NoSpace,
		"ggml_vulkan: Device memory allocation of size 1 failed. vk::Device::allocateMemory: ErrorOutOfDeviceMemory":                      lifecycle.NoSpace,
		"0.01.000.000 E CUDA error: an illegal memory access was encountered":                                                             lifecycle.EngineFailed,
		"/src/ggml.c:1: GGML_ASSERT(x) failed": lifecycle.EngineFailed,
	} {
		p := llamacpp.Engine{}.NewParser(engine.Spec{})
		require.Empty(t, p.Parse([]byte("0.00.426.659 I srv  llama_server: listening on http://127.0.0.1:1")))
		require.Empty(t, p.Parse([]byte("0.00.500.000 E srv    send_error: task id = 1, error: failed to load image")))
		require.ErrorContains(t, p.Explain(1), "exit code 1", "an error of one request kills nobody")
		p.Parse([]byte(line))
		e := p.Explain(128 + 6)
		require.Equal(t, want, e.Kind, "%v", e)
		require.NotContains(t, e.Err.Error(), "signal")
	}
}

func TestExits(t *testing.T) {
	t.Parallel()
	for exit, want := range map[int]string{-1: "does not answer", 0: "exit code 0", 128 + 4: "instruction", 128 + 9: "killed", 128 + 11: "signal 11"} {
		require.ErrorContains(t, llamacpp.Engine{}.NewParser(engine.Spec{}).Explain(exit), want)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("0.00.008.117 E gguf_init_from_file: failed to open GGUF file 'x' (No such file)")
	f.Fuzz(func(_ *testing.T, text string) {
		p := llamacpp.Engine{}.NewParser(engine.Spec{})
		for line := range strings.SplitSeq(text, "\n") {
			p.Parse([]byte(line))
		}
		_ = p.Explain(1).Error()
	})
}
