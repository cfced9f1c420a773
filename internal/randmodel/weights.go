package randmodel

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// indexFile maps tensors to shards.
const indexFile = "model.safetensors.index.json"

type tensor struct {
	name  string
	shape []int
}

// tensors lists the weights of a Llama in a fixed order.
func (o *Options) tensors() []tensor {
	h, kv, inter := o.Hidden, o.kvHeads()*headDim, o.intermediate()
	list := []tensor{{"model.embed_tokens.weight", []int{vocabSize, h}}}
	for layer := range o.Layers {
		p := fmt.Sprintf("model.layers.%d.", layer)
		list = append(list,
			tensor{p + "input_layernorm.weight", []int{h}},
			tensor{p + "self_attn.q_proj.weight", []int{h, h}},
			tensor{p + "self_attn.k_proj.weight", []int{kv, h}},
			tensor{p + "self_attn.v_proj.weight", []int{kv, h}},
			tensor{p + "self_attn.o_proj.weight", []int{h, h}},
			tensor{p + "post_attention_layernorm.weight", []int{h}},
			tensor{p + "mlp.gate_proj.weight", []int{inter, h}},
			tensor{p + "mlp.up_proj.weight", []int{inter, h}},
			tensor{p + "mlp.down_proj.weight", []int{h, inter}},
		)
	}
	return append(list, tensor{"model.norm.weight", []int{h}}, tensor{"lm_head.weight", []int{vocabSize, h}})
}

func (o *Options) writeWeights(dir string) error {
	rnd := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // equal options must give equal bytes
	all := o.tensors()
	weightMap, total := map[string]string{}, 0
	for shard := range o.Shards {
		name := "model.safetensors"
		if o.Shards > 1 {
			name = fmt.Sprintf("model-%05d-of-%05d.safetensors", shard+1, o.Shards)
		}
		part := all[shard*len(all)/o.Shards : (shard+1)*len(all)/o.Shards]
		data, err := encode(part, rnd)
		if err != nil {
			return err
		}
		for _, t := range part {
			weightMap[t.name] = name
			total += t.bytes()
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return fmt.Errorf("randmodel: %w", err)
		}
	}
	if o.Shards == 1 {
		return nil
	}
	index, err := json.MarshalIndent(map[string]any{
		"metadata": map[string]any{"total_size": total}, "weight_map": weightMap,
	}, "", " ")
	if err != nil {
		return fmt.Errorf("randmodel: %w", err)
	}
	return os.WriteFile(filepath.Join(dir, indexFile), index, 0o600)
}

// encode returns a safetensors file: the header's length, the header, the tensors.
func encode(tensors []tensor, rnd *rand.Rand) ([]byte, error) {
	header := map[string]any{"__metadata__": map[string]string{"format": "pt"}}
	var body []byte
	for _, t := range tensors {
		start := len(body)
		body = t.append(body, rnd)
		header[t.name] = map[string]any{"dtype": "BF16", "shape": t.shape, "data_offsets": []int{start, len(body)}}
	}
	head, err := json.Marshal(header)
	if err != nil {
		return nil, fmt.Errorf("randmodel: %w", err)
	}
	file := binary.LittleEndian.AppendUint64(nil, uint64(len(head)))
	return append(append(file, head...), body...), nil
}

func (t tensor) bytes() int {
	n := 2
	for _, d := range t.shape {
		n *= d
	}
	return n
}

// append adds the tensor as bfloat16: ones for a norm, else normal noise of deviation 0.05.
func (t tensor) append(b []byte, rnd *rand.Rand) []byte {
	for range t.bytes() / 2 {
		v := float32(1)
		if len(t.shape) > 1 {
			v = float32(rnd.NormFloat64() * 0.05)
		}
		b = binary.LittleEndian.AppendUint16(b, uint16(math.Float32bits(v)>>16))
	}
	return b
}
