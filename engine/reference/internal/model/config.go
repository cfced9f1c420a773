package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spinup-llm/spinup/lifecycle"
)

// Config is what a config.json says about a model.
type Config struct {
	Architecture string
	Vocab        int
	Hidden       int
	Intermediate int
	Layers       int
	Heads        int
	KVHeads      int
	HeadDim      int
	MaxPositions int // tokens the model was made for
	Window       int // of sliding attention, in tokens; 0 means that all layers see everything
	Eps          float32
	Rope         Rope
	EOS          []int // ends of text; may be empty
	QKVBias      bool
	OutBias      bool // of the attention's output
	MLPBias      bool
	QKNorm       bool
	Tied         bool // the head is the embedding
}

// file is the part of a config.json that is used. Pointers tell absent from zero.
type file struct {
	Architectures       []string        `json:"architectures"`
	Vocab               int             `json:"vocab_size"`
	Hidden              int             `json:"hidden_size"`
	Intermediate        int             `json:"intermediate_size"`
	Layers              int             `json:"num_hidden_layers"`
	Heads               int             `json:"num_attention_heads"`
	KVHeads             *int            `json:"num_key_value_heads"`
	HeadDim             *int            `json:"head_dim"`
	MaxPositions        *int            `json:"max_position_embeddings"`
	Eps                 *float64        `json:"rms_norm_eps"`
	Activation          *string         `json:"hidden_act"`
	AttentionBias       bool            `json:"attention_bias"`
	MLPBias             bool            `json:"mlp_bias"`
	Tied                bool            `json:"tie_word_embeddings"`
	UseWindow           bool            `json:"use_sliding_window"`
	Window              *int            `json:"sliding_window"`
	MaxWindowLayers     *int            `json:"max_window_layers"`
	LayerTypes          []string        `json:"layer_types"`
	Quantization        json.RawMessage `json:"quantization_config"`
	EOS                 IDs             `json:"eos_token_id"`
	RopeTheta           *float64        `json:"rope_theta"`
	RopeScaling         *ropeFile       `json:"rope_scaling"`
	RopeParameters      *ropeFile       `json:"rope_parameters"` // what transformers 5 writes
	PartialRotaryFactor *float64        `json:"partial_rotary_factor"`
}

// IDs is a list of token ids that files also write as one number or null.
type IDs []int

// UnmarshalJSON implements json.Unmarshaler.
func (ids *IDs) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '[' {
		return json.Unmarshal(b, (*[]int)(ids))
	}
	var id *int
	if err := json.Unmarshal(b, &id); err != nil || id == nil {
		return err
	}
	*ids = IDs{*id}
	return nil
}

// family holds what the architectures differ in.
type family struct {
	kvHeads, headDim, positions int // defaults of transformers; 0 derives from the others
	qkvBias, qkNorm, window     bool
	mlpBias                     bool // the configuration may ask for biases in the MLP
}

var families = map[string]family{
	"LlamaForCausalLM": {positions: 2048, mlpBias: true},
	"Qwen2ForCausalLM": {kvHeads: 32, positions: 32768, qkvBias: true, window: true},
	"Qwen3ForCausalLM": {kvHeads: 32, headDim: 128, positions: 32768, qkNorm: true, window: true},
}

// ReadConfig reads and checks a config.json.
func ReadConfig(path string) (*Config, error) {
	text, err := os.ReadFile(path) //nolint:gosec // the model's folder is the caller's choice
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &lifecycle.Error{
			Op: "model.ReadConfig", Kind: lifecycle.MissingFile, Target: path, Err: fs.ErrNotExist,
			Hint: "give a folder in Hugging Face layout: config.json, tokenizer.json and safetensors",
		}
	}
	if err != nil {
		return nil, &lifecycle.Error{Op: "model.ReadConfig", Kind: lifecycle.Unavailable, Target: path, Err: err}
	}
	c, err := ParseConfig(text)
	if err != nil {
		return nil, &lifecycle.Error{
			Op: "model.ReadConfig", Kind: lifecycle.Invalid, Target: path, Err: err,
			Hint: "use a Llama, Qwen 2 or Qwen 3 model that is not quantized, or another engine such as vllm",
		}
	}
	return c, nil
}

// ParseConfig checks the text of a config.json.
func ParseConfig(text []byte) (*Config, error) {
	var f file
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, fmt.Errorf("not a valid JSON file: %w", err)
	}
	if len(f.Architectures) != 1 || !supported(f.Architectures[0]) {
		return nil, fmt.Errorf("architectures %q: only %s are supported", f.Architectures, strings.Join(names(), ", "))
	}
	fam := families[f.Architectures[0]]
	if err := f.check(); err != nil {
		return nil, err
	}
	c := &Config{
		Architecture: f.Architectures[0], Vocab: f.Vocab, Hidden: f.Hidden, Intermediate: f.Intermediate,
		Layers: f.Layers, Heads: f.Heads, KVHeads: or(f.KVHeads, fam.kvHeads), HeadDim: or(f.HeadDim, fam.headDim),
		MaxPositions: or(f.MaxPositions, fam.positions), Eps: float32(or(f.Eps, 1e-6)), EOS: f.EOS,
		QKVBias: fam.qkvBias || f.AttentionBias, OutBias: f.AttentionBias && !fam.qkvBias,
		MLPBias: f.MLPBias && fam.mlpBias, QKNorm: fam.qkNorm, Tied: f.Tied,
	}
	if c.KVHeads == 0 {
		c.KVHeads = c.Heads
	}
	if c.HeadDim == 0 && c.Heads > 0 {
		c.HeadDim = c.Hidden / c.Heads
	}
	if fam.window {
		c.Window = f.window()
	}
	var err error
	if c.Rope, err = f.rope(); err != nil {
		return nil, err
	}
	return c, c.check()
}

// check refuses what would be computed wrongly.
func (f *file) check() error {
	switch {
	case len(f.Quantization) > 0 && string(f.Quantization) != "null":
		return errors.New("quantization_config: quantized weights are not supported")
	case f.Activation != nil && *f.Activation != "silu":
		return fmt.Errorf("hidden_act %q: only silu is supported", *f.Activation)
	case f.PartialRotaryFactor != nil && *f.PartialRotaryFactor != 1:
		return errors.New("partial_rotary_factor is not supported")
	}
	return nil
}

// window is the size of the sliding window where a layer has one, else 0.
func (f *file) window() int {
	active := f.Layers > or(f.MaxWindowLayers, 28)
	if f.LayerTypes != nil {
		active = slices.Contains(f.LayerTypes, "sliding_attention")
	}
	if !f.UseWindow || !active {
		return 0
	}
	return or(f.Window, 0)
}

// Bounds of the dimensions: products of three stay far from overflow.
const (
	maxSize   = 1 << 20
	maxLayers = 1 << 12
)

func (c *Config) check() error {
	for _, d := range []struct {
		name   string
		n, max int
	}{
		{"vocab_size", c.Vocab, maxSize},
		{"hidden_size", c.Hidden, maxSize},
		{"intermediate_size", c.Intermediate, maxSize},
		{"num_hidden_layers", c.Layers, maxLayers},
		{"num_attention_heads", c.Heads, maxSize},
		{"num_key_value_heads", c.KVHeads, maxSize},
		{"head_dim", c.HeadDim, maxSize},
		{"max_position_embeddings", c.MaxPositions, 16 * maxSize},
	} {
		if d.n < 1 || d.n > d.max {
			return fmt.Errorf("%s is %d", d.name, d.n)
		}
	}
	switch {
	case c.Heads%c.KVHeads != 0:
		return fmt.Errorf("num_attention_heads %d is no multiple of num_key_value_heads %d", c.Heads, c.KVHeads)
	case c.HeadDim%2 != 0:
		return fmt.Errorf("head_dim %d is odd", c.HeadDim)
	case c.Eps < 0 || c.Eps != c.Eps:
		return fmt.Errorf("rms_norm_eps is %v", c.Eps)
	}
	return nil
}

func supported(architecture string) bool {
	_, ok := families[architecture]
	return ok
}

func names() []string {
	var out []string
	for name := range families {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

func or[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}
