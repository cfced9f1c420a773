package vllm

import (
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/internal/driver"
)

const configFile = "config.json"

// modelConfig is what this package asks of a config.json.
type modelConfig struct {
	top  map[string]any
	text map[string]any // of the language model, where it is a part of a larger one
}

// errNoConfig says that there is no config.json where another format may be read.
var errNoConfig = errors.New("no config.json")

// readModelConfig reads the config.json of the model, with engine_kwargs.hf_overrides laid
// over it. errNoConfig: the model is elsewhere or in Mistral's format.
func readModelConfig(spec engine.Spec) (modelConfig, error) {
	dir := spec.Dir
	if path := text(spec.Kwargs["hf_config_path"]); filepath.IsAbs(path) {
		dir = path
	}
	if dir == "" {
		return modelConfig{}, errNoConfig
	}
	data, err := os.ReadFile(filepath.Join(dir, configFile)) //nolint:gosec // a file of the model
	if errors.Is(err, fs.ErrNotExist) {
		if _, statErr := os.Stat(filepath.Join(dir, "params.json")); statErr == nil {
			return modelConfig{}, errNoConfig
		}
	}
	if err != nil {
		return modelConfig{}, err
	}
	var cfg modelConfig
	if err := json.Unmarshal(data, &cfg.top); err != nil {
		return modelConfig{}, err
	}
	maps.Copy(cfg.top, overrides(spec.Kwargs))
	cfg.text = cfg.top
	for _, part := range []string{"text_config", "llm_config", "language_config"} {
		if sub, ok := cfg.top[part].(map[string]any); ok {
			cfg.text = sub
			break
		}
	}
	return cfg, nil
}

// overrides are engine_kwargs.hf_overrides as JSON has them: numbers are float64, as in config.json.
func overrides(kwargs map[string]any) (over map[string]any) {
	data := []byte(text(kwargs["hf_overrides"]))
	if m := asMap(kwargs["hf_overrides"]); m != nil {
		data, _ = json.Marshal(m) // plain values
	}
	_ = json.Unmarshal(data, &over) // what is no JSON is vLLM's to refuse
	return over
}

// first returns the first number that one of the keys holds, else 0.
func first(m map[string]any, keys ...string) float64 {
	for _, k := range keys {
		if v, ok := m[k].(float64); ok {
			return v
		}
	}
	return 0
}

func (c modelConfig) architectures() []string {
	list, _ := c.top["architectures"].([]any) // absent is none
	names := make([]string, 0, len(list))
	for _, a := range list {
		if s, ok := a.(string); ok {
			names = append(names, s)
		}
	}
	return names
}

func (c modelConfig) heads() int {
	return int(first(c.text, "num_attention_heads", "n_head", "num_heads", "n_heads"))
}

func (c modelConfig) kvHeads() int {
	return int(first(c.text, "num_key_value_heads", "multi_query_group_num", "num_kv_heads", "n_head_kv"))
}

// kvBytesPerToken is what a token takes in the KV cache of plain attention; 0 when the
// config does not tell.
func (c modelConfig) kvBytesPerToken() int64 {
	layers := first(c.text, "num_hidden_layers", "n_layer", "num_layers")
	hidden := first(c.text, "hidden_size", "n_embd", "d_model")
	heads, kv := float64(c.heads()), float64(c.kvHeads())
	if layers <= 0 || heads <= 0 || hidden <= 0 {
		return 0
	}
	if kv <= 0 {
		kv = heads
	}
	dim := first(c.text, "head_dim")
	if dim <= 0 {
		dim = hidden / heads
	}
	width := 2.0
	if c.text["torch_dtype"] == "float32" || c.text["dtype"] == "float32" {
		width = 4
	}
	return int64(2 * layers * kv * dim * width)
}

// servedLen is the length of a request that vLLM will accept, in tokens.
func (c modelConfig) servedLen(spec engine.Spec) int64 {
	if n, ok := humanInt(spec.Kwargs["max_model_len"]); ok && n > 0 {
		return n
	}
	if n, _ := c.derivedLen(); n > 0 && n < 1<<40 {
		return int64(n)
	}
	return 2048
}

// derivedLen is the longest request that the config allows, and the key that says so, by
// vLLM's rules; 0 when none does. Where versions differ, the longer one counts.
func (c modelConfig) derivedLen() (float64, string) {
	least, key := math.Inf(1), ""
	for _, k := range []string{
		"max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "model_max_length",
		"max_target_positions", "max_sequence_length", "max_seq_length", "seq_len",
	} {
		if v, ok := c.text[k].(float64); ok && v < least {
			least, key = v, k
		}
	}
	if v, ok := c.text["model_max_length"].(float64); ok && v > 0 {
		least, key = v, "model_max_length"
	}
	if key == "" {
		return 0, ""
	}
	return least * c.ropeFactor(least), key
}

// ropeFactor is how far the positions are stretched. Some types of scaling have it in
// max_position_embeddings already, in newer versions yarn too.
func (c modelConfig) ropeFactor(positions float64) float64 {
	if strings.Contains(text(c.top["model_type"]), "gemma3") {
		return 1
	}
	factor := 1.0
	for _, rope := range c.ropes() {
		kind := text(rope["rope_type"])
		if kind == "" {
			kind = text(rope["type"])
		}
		stretch, ok := rope["factor"].(float64)
		if !ok || slices.Contains([]string{"su", "longrope", "llama3", "mrope"}, kind) {
			continue
		}
		if strings.Contains(kind, "yarn") || strings.HasPrefix(kind, "deepseek") {
			original, ok := rope["original_max_position_embeddings"].(float64)
			if !ok || positions <= 0 {
				original = positions
			}
			stretch *= original / max(1, positions)
		}
		factor = max(factor, stretch)
	}
	return factor
}

// ropes are the scaling parameters, one per kind of layer where those differ.
func (c modelConfig) ropes() []map[string]any {
	var out []map[string]any
	for _, key := range []string{"rope_scaling", "rope_parameters"} {
		m, ok := c.text[key].(map[string]any)
		if !ok {
			continue
		}
		out = append(out, m)
		for _, v := range m {
			if sub, ok := v.(map[string]any); ok {
				out = append(out, sub)
			}
		}
	}
	return out
}

// writes reports whether the model completes text.
func (c modelConfig) writes(kwargs map[string]any) bool {
	if isPooling(kwargs) {
		return false
	}
	if text(kwargs["runner"]) == "generate" || text(kwargs["task"]) == "generate" {
		return true
	}
	archs := c.architectures()
	if len(archs) == 0 {
		return true // also of a model that lies elsewhere: most do
	}
	return slices.ContainsFunc(archs, func(a string) bool {
		for _, end := range []string{"ForCausalLM", "ForConditionalGeneration", "LMHeadModel", "ChatModel"} {
			if strings.HasSuffix(a, end) {
				return !strings.Contains(a, "Whisper")
			}
		}
		return false
	})
}

// embeds reports whether the model surely answers /v1/embeddings.
func (c modelConfig) embeds(kwargs map[string]any) bool {
	if task := text(kwargs["task"]); task != "" && task != "auto" {
		return task == "embed" || task == "embedding"
	}
	if convert := text(kwargs["convert"]); convert != "" && convert != "auto" {
		return convert == "embed"
	}
	archs := c.architectures()
	return len(archs) > 0 && !slices.ContainsFunc(archs, func(a string) bool {
		return strings.Contains(a, "Classification") || strings.Contains(a, "Reward") || strings.Contains(a, "Whisper")
	})
}

func isPooling(kwargs map[string]any) bool {
	task := text(kwargs["task"])
	return text(kwargs["runner"]) == "pooling" || (task != "" && task != "auto" && task != "generate")
}

// humanInt reads vLLM's way of writing lengths: 8192, "8k" (thousands), "8K" (1024s).
func humanInt(v any) (int64, bool) {
	if f, ok := driver.Number(v); ok {
		return int64(f), f == math.Trunc(f) && math.Abs(f) < 1<<53
	}
	s, ok := v.(string)
	if !ok || s == "" {
		return 0, false
	}
	factors := map[byte]float64{
		'k': 1e3, 'm': 1e6, 'g': 1e9, 't': 1e12, 'K': 1 << 10, 'M': 1 << 20, 'G': 1 << 30, 'T': 1 << 40,
	}
	factor, ok := factors[s[len(s)-1]]
	if !ok {
		return 0, false
	}
	f, err := strconv.ParseFloat(s[:len(s)-1], 64)
	if err != nil || math.Abs(f*factor) >= 1<<53 {
		return 0, false
	}
	return int64(f * factor), true
}
