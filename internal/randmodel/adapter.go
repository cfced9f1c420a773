package randmodel

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// AdapterOptions shape a LoRA adapter; the zero value is one of rank 8 for the default model.
type AdapterOptions struct {
	Model Options // that it is for
	Rank  int     // 0 means 8
	Seed  uint64  // adapters of different seeds answer differently
}

// WriteAdapter puts an adapter's files, as PEFT saves them, into dir, which is made. It changes
// the attention of every layer so much that hardly any answer of the model's stays.
func WriteAdapter(dir string, opts AdapterOptions) error {
	opts.Model.setDefaults()
	opts.Rank = or(opts.Rank, 8)
	weights, err := encode(opts.tensors(), rand.New(rand.NewPCG(3, opts.Seed))) //nolint:gosec // equal options must give equal bytes
	if err != nil {
		return err
	}
	config, err := json.MarshalIndent(map[string]any{
		"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": opts.Rank, "lora_alpha": 64 * opts.Rank,
		"target_modules": []string{"q_proj", "v_proj", "o_proj"}, "bias": "none", "lora_dropout": 0.0,
	}, "", " ")
	if err != nil {
		return fmt.Errorf("randmodel: %w", err)
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("randmodel: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "adapter_config.json"), config, 0o600); err != nil {
		return fmt.Errorf("randmodel: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "adapter_model.safetensors"), weights, 0o600); err != nil {
		return fmt.Errorf("randmodel: %w", err)
	}
	return nil
}

// tensors lists the pairs of matrices, A of [rank, in] and B of [out, rank].
func (o *AdapterOptions) tensors() []tensor {
	h, kv := o.Model.Hidden, o.Model.kvHeads()*headDim
	outputs := []struct {
		module string
		out    int
	}{{"q_proj", h}, {"v_proj", kv}, {"o_proj", h}}
	var list []tensor
	for layer := range o.Model.Layers {
		for _, m := range outputs {
			p := fmt.Sprintf("base_model.model.model.layers.%d.self_attn.%s.lora_", layer, m.module)
			list = append(list, tensor{p + "A.weight", []int{o.Rank, h}}, tensor{p + "B.weight", []int{m.out, o.Rank}})
		}
	}
	return list
}
