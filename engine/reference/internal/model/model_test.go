package model_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/spinup-llm/spinup/engine/reference/internal/model"
	"github.com/spinup-llm/spinup/engine/reference/internal/weights"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

// change returns the config.json of a family with some keys replaced; nil deletes.
func change(tb testing.TB, family string, changes map[string]any) []byte {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join("../../testdata", family, "config.json"))
	require.NoError(tb, err)
	var v map[string]any
	require.NoError(tb, json.Unmarshal(text, &v))
	for k, c := range changes {
		if v[k] = c; c == nil {
			delete(v, k)
		}
	}
	text, err = json.Marshal(v)
	require.NoError(tb, err)
	return text
}

func TestConfigRefuses(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		changes map[string]any
		want    string
	}{
		"architecture":    {map[string]any{"architectures": []string{"MistralForCausalLM"}}, "MistralForCausalLM"},
		"no architecture": {map[string]any{"architectures": nil}, "only LlamaForCausalLM, Qwen2ForCausalLM, Qwen3ForCausalLM"},
		"two":             {map[string]any{"architectures": []string{"LlamaForCausalLM", "X"}}, "architectures"},
		"quantized":       {map[string]any{"quantization_config": map[string]any{"bits": 4}}, "quantization_config"},
		"activation":      {map[string]any{"hidden_act": "gelu"}, `hidden_act "gelu"`},
		"yarn":            {map[string]any{"rope_scaling": map[string]any{"rope_type": "yarn", "factor": 4}}, `"yarn"`},
		"linear":          {map[string]any{"rope_scaling": map[string]any{"type": "linear", "factor": 4}}, `"linear"`},
		"bad llama3":      {map[string]any{"rope_scaling": map[string]any{"rope_type": "llama3"}}, "llama3 with factor"},
		"partial":         {map[string]any{"partial_rotary_factor": 0.5}, "partial_rotary_factor"},
		"theta":           {map[string]any{"rope_theta": 0}, "rope_theta"},
		"no heads":        {map[string]any{"num_attention_heads": nil}, "num_attention_heads is 0"},
		"odd groups":      {map[string]any{"num_key_value_heads": 3}, "no multiple"},
		"odd head":        {map[string]any{"head_dim": 7}, "head_dim 7 is odd"},
		"negative":        {map[string]any{"hidden_size": -4}, "hidden_size is -4"},
		"huge":            {map[string]any{"vocab_size": 1 << 30}, "vocab_size"},
		"epsilon":         {map[string]any{"rms_norm_eps": -1}, "rms_norm_eps"},
		"wrong type":      {map[string]any{"hidden_size": "48"}, "not a valid JSON file"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := model.ParseConfig(change(t, "llama", c.changes))
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestConfigReads(t *testing.T) {
	t.Parallel()
	parse := func(family string, changes map[string]any) *model.Config {
		c, err := model.ParseConfig(change(t, family, changes))
		require.NoError(t, err)
		return c
	}
	require.Equal(t, []int{704}, parse("llama", nil).EOS)
	require.Equal(t, []int{1, 2}, parse("llama", map[string]any{"eos_token_id": []int{1, 2}}).EOS)
	require.Empty(t, parse("llama", map[string]any{"eos_token_id": nil}).EOS)
	require.Equal(t, 4, parse("llama", map[string]any{"num_key_value_heads": nil}).KVHeads)
	require.Equal(t, 2048, parse("llama", map[string]any{"max_position_embeddings": nil}).MaxPositions)
	require.InDelta(t, 10000, parse("llama", map[string]any{"rope_theta": nil}).Rope.Theta, 0)
	require.InDelta(t, 1000000, parse("qwen3", nil).Rope.Theta, 0)
	require.True(t, parse("llama", map[string]any{"tie_word_embeddings": true}).Tied)

	biased := parse("llama", map[string]any{"attention_bias": true, "mlp_bias": true})
	require.True(t, biased.QKVBias && biased.OutBias && biased.MLPBias)
	qwen2 := parse("qwen2", nil)
	require.True(t, qwen2.QKVBias && !qwen2.OutBias && !qwen2.QKNorm)
	require.True(t, parse("qwen3", nil).QKNorm)

	// A window counts only when it is used, and only for the layers above max_window_layers.
	require.Zero(t, qwen2.Window)
	require.Equal(t, 64, parse("qwen2", map[string]any{"use_sliding_window": true}).Window)
	require.Zero(t, parse("qwen2", map[string]any{"use_sliding_window": true, "max_window_layers": 3}).Window)
	require.Zero(t, parse("qwen2", map[string]any{"use_sliding_window": true, "layer_types": []string{"full_attention"}}).Window)
	require.Equal(t, 64, parse("qwen2", map[string]any{"use_sliding_window": true, "layer_types": []string{"sliding_attention"}}).Window)
	require.Zero(t, parse("llama", map[string]any{"use_sliding_window": true, "sliding_window": 9, "max_window_layers": 0}).Window)
}

func TestReadConfigErrors(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "config.json")
	_, err := model.ReadConfig(path)
	require.ErrorIs(t, err, lifecycle.MissingFile)
	require.NoError(t, os.WriteFile(path, []byte("not json"), 0o600))
	_, err = model.ReadConfig(path)
	require.ErrorIs(t, err, lifecycle.Invalid)
	require.ErrorContains(t, err, "not a valid JSON file")
}

func TestWeightsMustFit(t *testing.T) {
	t.Parallel()
	set, err := weights.Open("../../testdata/qwen3")
	require.NoError(t, err)
	defer set.Close()
	cases := map[string]map[string]any{
		`lack tensor "model.layers.3.`: {"num_hidden_layers": 4},
		"has shape [685 40]":           {"vocab_size": 684},
		"q_proj.bias":                  {"attention_bias": true},
	}
	for want, changes := range cases {
		c, parseErr := model.ParseConfig(change(t, "qwen3", changes))
		require.NoError(t, parseErr)
		_, _, err = c.Fits(set)
		require.ErrorIs(t, err, lifecycle.Corrupt)
		require.ErrorContains(t, err, want)
		_, err = model.Load(t.Context(), c, set, func(int) {})
		require.ErrorIs(t, err, lifecycle.Corrupt)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c, err := model.ParseConfig(change(t, "qwen3", nil))
	require.NoError(t, err)
	_, err = model.Load(ctx, c, set, func(int) {})
	require.ErrorIs(t, err, lifecycle.Canceled)
}

// TestCuts: however a prompt is cut into calls, the logits are the same to the last bit.
func TestCuts(t *testing.T) {
	t.Parallel()
	for _, family := range families {
		m := load(t, filepath.Join("../../testdata", family))
		ids := answers(t, family)[3].IDs
		whole, err := m.Forward(m.NewCache(len(ids)), ids)
		require.NoError(t, err)
		want := slices.Clone(whole)
		for _, size := range []int{1, 7, 32} {
			cache := m.NewCache(len(ids))
			var got []float32
			for part := range slices.Chunk(ids, size) {
				got, err = m.Forward(cache, part)
				require.NoError(t, err)
			}
			require.Equal(t, want, got, "%s in pieces of %d", family, size)
			require.Equal(t, len(ids), cache.Len())
			require.Zero(t, cache.Free())
		}
	}
}

// TestCPUs: the number of CPUs does not change the logits. Not parallel: it sets GOMAXPROCS.
func TestCPUs(t *testing.T) { //nolint:paralleltest // changes the process
	ids := answers(t, "llama")[6].IDs
	var want []float32
	for _, cpus := range []int{1, 2, 5} {
		before := runtime.GOMAXPROCS(cpus)
		m := load(t, "../../testdata/llama")
		got, err := m.Forward(m.NewCache(len(ids)), ids)
		runtime.GOMAXPROCS(before)
		require.NoError(t, err)
		if want == nil {
			want = slices.Clone(got)
		}
		require.Equal(t, want, got, "%d CPUs", cpus)
	}
}

func TestForwardRefuses(t *testing.T) {
	t.Parallel()
	m := load(t, "../../testdata/qwen3")
	cache := m.NewCache(4)
	for _, ids := range [][]int{{}, {1, 2, 3, 4, 5}, {1, -1}, {685}} {
		_, err := m.Forward(cache, ids)
		require.Error(t, err, "%v", ids)
		require.Zero(t, cache.Len())
	}
	_, err := m.Forward(cache, []int{1, 2, 3, 4})
	require.NoError(t, err)
	_, err = m.Forward(cache, []int{5})
	require.ErrorContains(t, err, "room for 0")
	cache.Reset()
	require.Equal(t, 4, cache.Free())
}

func FuzzParseConfig(f *testing.F) {
	for _, family := range families {
		f.Add(change(f, family, nil))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := model.ParseConfig(text)
		if err != nil {
			return
		}
		require.Positive(t, c.Vocab*c.Hidden*c.Heads)
		require.Positive(t, c.CacheBytes())
		if c.Layers < 10 {
			c.Tensors(func(_ string, shape ...int) { require.NotEmpty(t, shape) })
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	m := load(b, "../../testdata/llama")
	cache := m.NewCache(512)
	for b.Loop() {
		if cache.Free() == 0 {
			cache.Reset()
		}
		if _, err := m.Forward(cache, []int{7}); err != nil {
			b.Fatal(err)
		}
	}
}
