package model

import (
	"context"
	"fmt"
	"runtime"

	"github.com/spinup-llm/spinup/engine/reference/internal/weights"
	"github.com/spinup-llm/spinup/lifecycle"
)

// A Model is loaded weights, ready to run. Its weights never change; Forward uses scratch
// space, so that only one goroutine at a time may call it.
type Model struct {
	Config  *Config
	embed   *matrix
	head    *matrix
	norm    []float32
	layers  []layer
	freq    []float32
	workers int
	scratch scratch
}

type layer struct {
	attnNorm, mlpNorm []float32
	q, k, v, o        *matrix
	qNorm, kNorm      []float32
	gate, up, down    *matrix
}

// Tensors calls f with the name and shape of every tensor that the configuration needs.
func (c *Config) Tensors(f func(name string, shape ...int)) {
	q, kv := c.Heads*c.HeadDim, c.KVHeads*c.HeadDim
	f("model.embed_tokens.weight", c.Vocab, c.Hidden)
	f("model.norm.weight", c.Hidden)
	if !c.Tied {
		f("lm_head.weight", c.Vocab, c.Hidden)
	}
	for i := range c.Layers {
		linear := func(name string, bias bool, out, in int) {
			f(fmt.Sprintf("model.layers.%d.%s.weight", i, name), out, in)
			if bias {
				f(fmt.Sprintf("model.layers.%d.%s.bias", i, name), out)
			}
		}
		vector := func(name string, n int) { f(fmt.Sprintf("model.layers.%d.%s.weight", i, name), n) }
		vector("input_layernorm", c.Hidden)
		vector("post_attention_layernorm", c.Hidden)
		linear("self_attn.q_proj", c.QKVBias, q, c.Hidden)
		linear("self_attn.k_proj", c.QKVBias, kv, c.Hidden)
		linear("self_attn.v_proj", c.QKVBias, kv, c.Hidden)
		linear("self_attn.o_proj", c.OutBias, c.Hidden, q)
		if c.QKNorm {
			vector("self_attn.q_norm", c.HeadDim)
			vector("self_attn.k_norm", c.HeadDim)
		}
		linear("mlp.gate_proj", c.MLPBias, c.Intermediate, c.Hidden)
		linear("mlp.up_proj", c.MLPBias, c.Intermediate, c.Hidden)
		linear("mlp.down_proj", c.MLPBias, c.Hidden, c.Intermediate)
	}
}

// Fits checks that set has every tensor in the right shape. It returns the bytes that
// Load will read, and those that the loaded model will take.
func (c *Config) Fits(set *weights.Set) (read, memory int64, err error) {
	c.Tensors(func(name string, shape ...int) {
		t, ok := set.Tensor(name)
		switch {
		case err != nil:
		case !ok:
			err = misfit(fmt.Errorf("the weights lack tensor %q", name))
		case !t.Is(shape...):
			err = misfit(fmt.Errorf("tensor %q has shape %v, config.json asks for %v", name, t.Shape, shape))
		case t.DType == "BF16" && len(shape) == 2:
			memory += 2 * t.Elements()
		default:
			memory += 4 * t.Elements()
		}
		read += t.Size()
	})
	return read, memory, err
}

func misfit(err error) error {
	return &lifecycle.Error{
		Op: "model.Fits", Kind: lifecycle.Corrupt, Err: err,
		Hint: "download the model again: its config.json and its weights do not belong together",
	}
}

// Load reads the weights; read is called with the bytes of each piece that was read.
func Load(ctx context.Context, c *Config, set *weights.Set, read func(int)) (*Model, error) {
	if _, _, err := c.Fits(set); err != nil {
		return nil, err
	}
	l := loader{ctx: ctx, set: set, read: read}
	m := &Model{
		Config: c, freq: c.Rope.frequencies(c.HeadDim), workers: runtime.GOMAXPROCS(0),
		embed: l.matrix("model.embed_tokens", false), norm: l.vector("model.norm.weight"),
	}
	m.head = m.embed
	if !c.Tied {
		m.head = l.matrix("lm_head", false)
	}
	for i := range c.Layers {
		name := func(s string) string { return fmt.Sprintf("model.layers.%d.%s", i, s) }
		ly := layer{
			attnNorm: l.vector(name("input_layernorm.weight")),
			mlpNorm:  l.vector(name("post_attention_layernorm.weight")),
			q:        l.matrix(name("self_attn.q_proj"), c.QKVBias),
			k:        l.matrix(name("self_attn.k_proj"), c.QKVBias),
			v:        l.matrix(name("self_attn.v_proj"), c.QKVBias),
			o:        l.matrix(name("self_attn.o_proj"), c.OutBias),
			gate:     l.matrix(name("mlp.gate_proj"), c.MLPBias),
			up:       l.matrix(name("mlp.up_proj"), c.MLPBias),
			down:     l.matrix(name("mlp.down_proj"), c.MLPBias),
		}
		if c.QKNorm {
			ly.qNorm, ly.kNorm = l.vector(name("self_attn.q_norm.weight")), l.vector(name("self_attn.k_norm.weight"))
		}
		m.layers = append(m.layers, ly)
	}
	return m, l.err
}

// loader keeps the first error; after it, nothing more is read.
type loader struct {
	ctx  context.Context //nolint:containedctx // lives as long as one call of Load
	set  *weights.Set
	read func(int)
	err  error
}

func (l *loader) vector(name string) []float32 {
	t, _ := l.set.Tensor(name)
	if l.err != nil {
		return nil
	}
	var v []float32
	v, l.err = t.Floats(l.ctx, l.read)
	return v
}

func (l *loader) matrix(name string, bias bool) *matrix {
	t, _ := l.set.Tensor(name + ".weight")
	if l.err != nil {
		return nil
	}
	m := &matrix{rows: int(t.Shape[0]), cols: int(t.Shape[1])}
	if t.DType == "BF16" {
		m.bf16, l.err = t.BF16(l.ctx, l.read)
	} else {
		m.f32, l.err = t.Floats(l.ctx, l.read)
	}
	if bias {
		m.bias = l.vector(name + ".bias")
	}
	return m
}
