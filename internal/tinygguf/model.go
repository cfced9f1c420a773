package tinygguf

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spinup-llm/spinup/internal/safetensors"
)

// config is what of config.json the format wants to know.
type config struct {
	VocabSize    int     `json:"vocab_size"`
	Hidden       int     `json:"hidden_size"`
	Layers       int     `json:"num_hidden_layers"`
	Heads        int     `json:"num_attention_heads"`
	KVHeads      int     `json:"num_key_value_heads"`
	HeadDim      int     `json:"head_dim"`
	Intermediate int     `json:"intermediate_size"`
	Epsilon      float32 `json:"rms_norm_eps"`
	Theta        float32 `json:"rope_theta"`
	Positions    int     `json:"max_position_embeddings"`
	BOS          int     `json:"bos_token_id"`
}

// vocabulary is what of tokenizer.json it wants to know.
type vocabulary struct {
	Model struct {
		Vocab  map[string]int
		Merges [][2]string
	}
	Added []struct {
		ID      int
		Content string
	} `json:"added_tokens"`
}

// A tensor has its dimensions in GGUF's order, the innermost first.
type tensor struct {
	name string
	dims []uint64
	kind uint32 // 0: float32, 30: bfloat16
	data []byte
}

type model struct {
	config
	vocabulary
	eos      string // of tokenizer_config.json
	template string
	tensors  []tensor
}

func read(dir string) (*model, error) {
	m := &model{}
	var settings struct {
		EOS string `json:"eos_token"`
	}
	for name, v := range map[string]any{"config.json": &m.config, "tokenizer.json": &m.vocabulary, "tokenizer_config.json": &settings} {
		data, err := os.ReadFile(filepath.Join(dir, name)) //nolint:gosec // a test's folder
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(data, v); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	template, err := os.ReadFile(filepath.Join(dir, "chat_template.jinja")) //nolint:gosec // a test's folder
	if err != nil {
		return nil, err
	}
	m.eos, m.template = settings.EOS, string(template)
	return m, m.readWeights(filepath.Join(dir, "model.safetensors"))
}

func (m *model) readWeights(file string) error {
	data, err := os.ReadFile(file) //nolint:gosec // a test's folder
	if err != nil {
		return err
	}
	n, err := safetensors.HeaderLen(data, int64(len(data)))
	if err != nil {
		return err
	}
	h, err := safetensors.Parse(data[8:8+n], int64(len(data)))
	if err != nil {
		return err
	}
	for _, t := range h.Tensors {
		if t.DType != "BF16" {
			return fmt.Errorf("%s is of %s, and only BF16 is known", t.Name, t.DType)
		}
		m.tensors = append(m.tensors, m.convert(t, data[h.Data+t.Begin:h.Data+t.End]))
	}
	return nil
}

// names are what the parts of a tensor's name are called in GGUF.
var names = strings.NewReplacer(
	"model.embed_tokens", "token_embd", "model.norm", "output_norm", "lm_head", "output", "model.layers", "blk",
	"self_attn.q_proj", "attn_q", "self_attn.k_proj", "attn_k", "self_attn.v_proj", "attn_v", "self_attn.o_proj", "attn_output",
	"post_attention_layernorm", "ffn_norm", "input_layernorm", "attn_norm",
	"mlp.gate_proj", "ffn_gate", "mlp.up_proj", "ffn_up", "mlp.down_proj", "ffn_down",
)

func (m *model) convert(t safetensors.Tensor, data []byte) tensor {
	out := tensor{name: names.Replace(t.Name), kind: 30, data: data}
	for _, n := range slices.Backward(t.Shape) {
		out.dims = append(out.dims, uint64(n)) //nolint:gosec // Parse has seen it
	}
	switch {
	case len(t.Shape) == 1: // llama.cpp wants norms in float32
		out.kind, out.data = 0, widened(data)
	case strings.HasSuffix(t.Name, "q_proj.weight"):
		out.data = rotated(data, m.Heads, m.HeadDim)
	case strings.HasSuffix(t.Name, "k_proj.weight"):
		out.data = rotated(data, m.KVHeads, m.HeadDim)
	}
	return out
}

// widened is data in float32, whose upper half a bfloat16 is.
func widened(data []byte) []byte {
	out := make([]byte, 0, 2*len(data))
	for i := 0; i < len(data); i += 2 {
		out = append(out, 0, 0, data[i], data[i+1])
	}
	return out
}

// rotated puts the two halves of each head's rows alternately.
func rotated(data []byte, heads, dim int) []byte {
	row := len(data) / heads / dim
	out := make([]byte, 0, len(data))
	for head := range heads {
		for i := range dim {
			from := head*dim + i%2*dim/2 + i/2
			out = append(out, data[from*row:(from+1)*row]...)
		}
	}
	return out
}
