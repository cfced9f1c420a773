package reference_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/engine/reference"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

// folder returns a copy of a golden model that change has changed.
func folder(t *testing.T, family string, change func(dir string)) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS(filepath.Join("testdata", family))))
	change(dir)
	return dir
}

// edit replaces keys of a JSON file; nil deletes.
func edit(t *testing.T, path string, changes map[string]any) {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	var v map[string]any
	require.NoError(t, json.Unmarshal(text, &v))
	for k, c := range changes {
		if v[k] = c; c == nil {
			delete(v, k)
		}
	}
	text, err = json.Marshal(v)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, text, 0o600))
}

// TestCheckRefuses: what is wrong with a folder is told by kind, file and hint.
func TestCheckRefuses(t *testing.T) {
	t.Parallel()
	remove := func(name string) func(string) {
		return func(dir string) { require.NoError(t, os.Remove(filepath.Join(dir, name))) }
	}
	write := func(name, text string) func(string) {
		return func(dir string) { require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600)) }
	}
	config := func(key string, value any) func(string) {
		return func(dir string) { edit(t, filepath.Join(dir, "config.json"), map[string]any{key: value}) }
	}
	cases := map[string]struct {
		change func(string)
		kind   lifecycle.Kind
		want   string
	}{
		"no config":             {remove("config.json"), lifecycle.MissingFile, "config.json"},
		"no tokenizer":          {remove("tokenizer.json"), lifecycle.MissingFile, "tokenizer.json"},
		"no weights":            {remove("model.safetensors"), lifecycle.MissingFile, "model.safetensors"},
		"broken config":         {write("config.json", "<html>"), lifecycle.Invalid, "config.json"},
		"broken tokenizer":      {write("tokenizer.json", "{}"), lifecycle.Invalid, "tokenizer.json"},
		"broken generation":     {write("generation_config.json", "{"), lifecycle.Invalid, "generation_config.json"},
		"broken special tokens": {write("tokenizer_config.json", `{"bos_token": 7}`), lifecycle.Invalid, "tokenizer_config.json"},
		"pointer":               {write("model.safetensors", "version https://git-lfs"), lifecycle.Corrupt, "Git LFS pointer"},
		"cut weights": {func(dir string) {
			require.NoError(t, os.Truncate(filepath.Join(dir, "model.safetensors"), 100_000))
		}, lifecycle.Corrupt, "truncated"},
		"architecture": {config("architectures", []string{"GemmaForCausalLM"}), lifecycle.Invalid, "GemmaForCausalLM"},
		"quantized":    {config("quantization_config", map[string]any{"quant_method": "awq"}), lifecycle.Invalid, "quantized"},
		"other shape":  {config("hidden_size", 80), lifecycle.Corrupt, "config.json asks for"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := folder(t, "qwen3", c.change)
			err := reference.Engine{}.Check(engine.Spec{ModelID: "m", Dir: dir})
			require.ErrorIs(t, err, c.kind)
			require.ErrorContains(t, err, c.want)
			e, ok := err.(*lifecycle.Error) //nolint:errorlint // the outermost is what users see
			require.True(t, ok)
			require.NotEmpty(t, e.Hint)
			require.Contains(t, e.Target, dir)
			_, err = reference.Handler(t.Context(), engine.Spec{ModelID: "m", Dir: dir})
			require.ErrorIs(t, err, c.kind)
		})
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	check := func(kwargs map[string]any) error {
		return reference.Engine{}.Check(engine.Spec{ModelID: "m", Dir: "testdata/qwen3", Kwargs: kwargs})
	}
	type word string
	n := 7
	require.NoError(t, check(map[string]any{
		"max_model_len": 128.0, "max_num_seqs": int64(2), "seed": &n, "dtype": word("auto"), "load_format": nil, "tensor_parallel_size": 1.0,
		"gpu_memory_utilization": 0.9, "enforce_eager": true, "trust_remote_code": true, "compilation_config": map[string]any{"level": 3},
		"served_model_name": "m", "quantization": nil,
	}))
	cases := []struct {
		name  string
		value any
		want  string
	}{
		{"max_model_len", "long", "no positive integer"},
		{"max_model_len", -1, "no positive integer"},
		{"max_model_len", 12.5, "no positive integer"},
		{"max_model_len", 2049, "max_position_embeddings 2048 (ask for at most 2048)"},
		{"max_num_seqs", 0, "no positive integer"},
		{"max_num_seqs", 1000, "at most 256"},
		{"seed", "x", "no positive integer"},
		{"dtype", "bfloat16", "leave it out, or say auto or float32 or float, or use llm_engine: vLLM"},
		{"load_format", "runai_streamer", "leave it out"},
		{"tensor_parallel_size", 2, "not supported"},
		{"quantization", "awq", "not supported"},
		{"enable_lora", true, "not supported"},
		{"served_model_name", []any{"m", "n"}, `served as "m" only`},
		{"max_model_length", 5, `did you mean "max_model_len"`},
		{"hf_overrides", map[string]any{}, "no such option"},
	}
	for _, c := range cases {
		err := check(map[string]any{c.name: c.value})
		require.ErrorIs(t, err, lifecycle.Invalid)
		require.ErrorContains(t, err, "engine_kwargs."+c.name)
		require.ErrorContains(t, err, c.want)
	}
	wrong := map[string]any{"max_model_lenn": 1, "dtype": "half", "seed": 1.5}
	require.ErrorContains(t, reference.Engine{}.CheckKwargs(engine.Spec{ModelID: "m", Kwargs: wrong}), "max_model_lenn", "before there are files")
	err := check(wrong)
	for _, name := range []string{"max_model_lenn", "dtype", "seed"} {
		require.ErrorContains(t, err, name, "all problems at once")
	}
}

func TestSlidingWindow(t *testing.T) {
	t.Parallel()
	dir := folder(t, "qwen2", func(dir string) {
		edit(t, filepath.Join(dir, "config.json"), map[string]any{"use_sliding_window": true})
	})
	spec := engine.Spec{ModelID: "m", Dir: dir}
	h, err := reference.Handler(t.Context(), spec)
	require.NoError(t, err, "up to the window, nothing slides")
	require.Contains(t, get(t, h, "/v1/models"), `"max_model_len":64`)
	spec.Kwargs = map[string]any{"max_model_len": 65}
	require.ErrorContains(t, reference.Engine{}.Check(spec), "sliding window 64")
}

func TestMemory(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/meminfo"); err != nil {
		t.Skip("this system does not tell how much memory is free")
	}
	dir := folder(t, "qwen3", func(dir string) {
		edit(t, filepath.Join(dir, "config.json"), map[string]any{"max_position_embeddings": 1 << 24})
	})
	spec := engine.Spec{ModelID: "m", Dir: dir, Kwargs: map[string]any{"max_model_len": 1 << 24, "max_num_seqs": 256}}
	err := reference.Engine{}.Check(spec)
	require.ErrorIs(t, err, lifecycle.NoSpace)
	require.ErrorContains(t, err, "the KV cache 4947802.3 MB")
	require.ErrorContains(t, err, "lower max_model_len (16777216) or max_num_seqs (256)")
}

func get(t *testing.T, h http.Handler, path string) string {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	require.Equal(t, 200, w.Code)
	return w.Body.String()
}

// TestTemplates: where a template may be, and which one wins.
func TestTemplates(t *testing.T) {
	t.Parallel()
	named := []any{map[string]any{"name": "tool_use", "template": "no"}, map[string]any{"name": "default", "template": "one two"}}
	// The prompt "one two" has 2 to 7 tokens in the golden vocabulary, the golden template makes more.
	cases := map[string]struct {
		jinja string
		field any
		short bool
	}{
		"file":                {jinja: "one two", short: true},
		"field":               {field: "one two", short: true},
		"named":               {field: named, short: true},
		"file wins":           {jinja: "one two", field: "{{ raise_exception('no') }}", short: true},
		"special token":       {field: "{{ eos_token }}", short: true},
		"the folder's as is ": {},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := folder(t, "qwen3", func(dir string) {
				jinja := filepath.Join(dir, "chat_template.jinja")
				if c.field != nil {
					edit(t, filepath.Join(dir, "tokenizer_config.json"), map[string]any{
						"chat_template": c.field, "eos_token": map[string]any{"content": "<|im_end|>", "special": true},
					})
					require.NoError(t, os.Remove(jinja))
				}
				if c.jinja != "" {
					require.NoError(t, os.WriteFile(jinja, []byte(c.jinja), 0o600))
				}
			})
			h, err := reference.Handler(t.Context(), engine.Spec{ModelID: "m", Dir: dir})
			require.NoError(t, err)
			_, prompt, _ := chat(t, h, "Hi")
			require.Equal(t, c.short, prompt < 8, "%d tokens", prompt)
		})
	}
}

// TestWithoutChat: a model without a template, or with one that is not supported, completes.
func TestWithoutChat(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(string){
		"it has no chat template": func(jinja string) { require.NoError(t, os.Remove(jinja)) },
		`the tag "include" is not supported`: func(jinja string) {
			require.NoError(t, os.WriteFile(jinja, []byte("{% include 'x' %}"), 0o600))
		},
	} {
		dir := folder(t, "qwen3", func(dir string) { change(filepath.Join(dir, "chat_template.jinja")) })
		h, err := reference.Handler(t.Context(), engine.Spec{ModelID: "m", Dir: dir})
		require.NoError(t, err)
		ask := func(path, body string) (int, string) {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(body)))
			return w.Code, w.Body.String()
		}
		status, body := ask("/v1/chat/completions", `{"messages": [{"role": "user", "content": "Hi"}]}`)
		require.Equal(t, 400, status)
		var e struct{ Error struct{ Message string } }
		require.NoError(t, json.Unmarshal([]byte(body), &e))
		require.Contains(t, e.Error.Message, want)
		status, _ = ask("/v1/completions", `{"prompt": "Hi", "max_tokens": 1}`)
		require.Equal(t, 200, status)
	}
}

// TestEndOfText: generation_config.json wins over config.json, and that over the tokenizer.
func TestEndOfText(t *testing.T) {
	t.Parallel()
	first := func(change func(dir string)) int { // tokens of an answer to the first golden chat
		h, err := reference.Handler(t.Context(), engine.Spec{ModelID: "m", Dir: folder(t, "qwen3", change)})
		require.NoError(t, err)
		_, _, n := chat(t, h, "Hi")
		return n
	}
	var golden struct{ Chat []struct{ Greedy []int } }
	text, err := os.ReadFile("testdata/qwen3/golden.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &golden))
	greedy := golden.Chat[0].Greedy
	late := 4
	for slices.Contains(greedy[:late], greedy[late]) {
		late++
	}
	generation, config := "generation_config.json", "config.json"

	require.Equal(t, late+1, first(func(dir string) {
		edit(t, filepath.Join(dir, generation), map[string]any{"eos_token_id": greedy[late]})
		edit(t, filepath.Join(dir, config), map[string]any{"eos_token_id": greedy[0]})
	}))
	require.Equal(t, 1, first(func(dir string) {
		require.NoError(t, os.Remove(filepath.Join(dir, generation)))
		edit(t, filepath.Join(dir, config), map[string]any{"eos_token_id": greedy[0]})
	}))
}

// TestHostWithoutMain: a host that forgot to call Main is told so, instead of starting
// itself again and again.
func TestHostWithoutMain(t *testing.T) {
	t.Parallel()
	if os.Getenv(withoutMain) != "" {
		spec := engine.Spec{ModelID: "m", Dir: "testdata/qwen3", Addr: "127.0.0.1:1"}
		for _, err := range []error{reference.Engine{}.Check(spec), second(reference.Engine{}.Command(spec))} {
			require.ErrorIs(t, err, lifecycle.Invalid)
			require.ErrorContains(t, err, "call reference.Main() first in main or TestMain")
		}
		return
	}
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestHostWithoutMain$", "-test.v")
	cmd.Env = append(os.Environ(), withoutMain+"=1")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "--- PASS: TestHostWithoutMain")
}

func second[A any](_ A, err error) error { return err }
