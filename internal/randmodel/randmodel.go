package randmodel

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// Options shape the model; the zero value is a model of about 3 MB with 16,384 positions.
type Options struct {
	Layers    int // 0 means 2
	Hidden    int // a multiple of 128; 0 means 256. Heads are of 64
	Positions int // 0 means 16384
	Shards    int // weight files; 0 means 1, without an index
}

// vocabSize is 256 bytes and three special tokens, rounded up as engines like it.
const vocabSize = 320

// headDim is a size that vLLM's CPU attention has kernels for.
const headDim = 64

// Write puts the model's files into dir, which must exist.
func Write(dir string, opts Options) error {
	opts.setDefaults()
	files := map[string]any{
		"config.json":            opts.config(),
		"generation_config.json": map[string]any{"bos_token_id": bosToken, "eos_token_id": eosToken},
		"tokenizer.json":         tokenizer(),
		"tokenizer_config.json":  tokenizerConfig(opts.Positions),
	}
	for name, content := range files {
		data, err := json.MarshalIndent(content, "", " ")
		if err != nil {
			return fmt.Errorf("randmodel: %w", err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return fmt.Errorf("randmodel: %w", err)
		}
	}
	return opts.writeWeights(dir)
}

func (o *Options) setDefaults() {
	o.Layers = or(o.Layers, 2)
	o.Hidden = or(o.Hidden, 256)
	o.Positions = or(o.Positions, 16384)
	o.Shards = or(o.Shards, 1)
}

func or(v, fallback int) int {
	if v == 0 {
		return fallback
	}
	return v
}

func (o *Options) heads() int        { return o.Hidden / headDim }
func (o *Options) kvHeads() int      { return o.heads() / 2 }
func (o *Options) intermediate() int { return 2 * o.Hidden }

func (o *Options) config() map[string]any {
	return map[string]any{
		"architectures": []string{"LlamaForCausalLM"}, "model_type": "llama",
		"hidden_size": o.Hidden, "intermediate_size": o.intermediate(), "num_hidden_layers": o.Layers,
		"num_attention_heads": o.heads(), "num_key_value_heads": o.kvHeads(), "head_dim": headDim,
		"max_position_embeddings": o.Positions, "vocab_size": vocabSize, "hidden_act": "silu",
		"rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": false,
		"attention_bias": false, "mlp_bias": false, "torch_dtype": "bfloat16",
		"bos_token_id": bosToken, "eos_token_id": eosToken,
	}
}
