package model

import (
	"fmt"
	"math"
)

// scratch is memory that Forward uses again and again; it grows with the longest call.
type scratch struct {
	n                                 int
	x, h, q, attn, gate, up, cos, sin []float32
	logits, row                       []float32
}

func (m *Model) grow(n int) *scratch {
	s, c := &m.scratch, m.Config
	if s.logits == nil {
		s.logits, s.row = make([]float32, c.Vocab), make([]float32, c.Hidden)
	}
	if n > s.n {
		s.n = n
		s.x, s.h = make([]float32, n*c.Hidden), make([]float32, n*c.Hidden)
		s.q, s.attn = make([]float32, n*c.Heads*c.HeadDim), make([]float32, n*c.Heads*c.HeadDim)
		s.gate, s.up = make([]float32, n*c.Intermediate), make([]float32, n*c.Intermediate)
		s.cos, s.sin = make([]float32, n*c.HeadDim/2), make([]float32, n*c.HeadDim/2)
	}
	return s
}

// Forward adds tokens to the sequence in cache and returns the logits that follow the last
// of them; they are valid until the next call. It fails when the cache is too small or a
// token is not in the vocabulary; the cache is unchanged then.
func (m *Model) Forward(cache *Cache, tokens []int) ([]float32, error) {
	n := len(tokens)
	if n == 0 || n > cache.Free() {
		return nil, fmt.Errorf("model: %d tokens for a cache with room for %d", n, cache.Free())
	}
	s := m.grow(n)
	for t, id := range tokens {
		if id < 0 || id >= m.Config.Vocab {
			return nil, fmt.Errorf("model: token %d is outside of the vocabulary of %d", id, m.Config.Vocab)
		}
		copy(s.x[t*m.Config.Hidden:], m.embed.row(s.row, id))
	}
	angles(s.cos, s.sin, m.freq, cache.len, n)
	for i := range m.layers {
		m.attention(&m.layers[i], cache.k[i], cache.v[i], cache.len, n)
		m.mlp(&m.layers[i], n)
	}
	cache.len += n
	last := s.x[(n-1)*m.Config.Hidden : n*m.Config.Hidden]
	rmsNorm(s.h, last, m.norm, m.Config.Eps)
	m.head.mul(s.logits, s.h, 1, m.workers)
	return s.logits, nil
}

func (m *Model) attention(l *layer, keys, values []float32, start, n int) {
	s, c := &m.scratch, m.Config
	kv := c.kv()
	m.normRows(l.attnNorm, n)
	newK, newV := keys[start*kv:(start+n)*kv], values[start*kv:(start+n)*kv]
	l.q.mul(s.q, s.h, n, m.workers)
	l.k.mul(newK, s.h, n, m.workers)
	l.v.mul(newV, s.h, n, m.workers)
	m.position(s.q[:n*c.Heads*c.HeadDim], l.qNorm, c.Heads)
	m.position(newK, l.kNorm, c.KVHeads)

	work := n * c.Heads * c.HeadDim * (start + n) * 2
	parallel(m.workers, n*c.Heads, work, func(lo, hi int) {
		scores := make([]float32, start+n)
		for i := lo; i < hi; i++ {
			t, h := i/c.Heads, i%c.Heads
			shared := h / (c.Heads / c.KVHeads) * c.HeadDim
			m.attend(s.attn[i*c.HeadDim:(i+1)*c.HeadDim], s.q[i*c.HeadDim:(i+1)*c.HeadDim],
				keys[shared:], values[shared:], scores[:start+t+1])
		}
	})
	l.o.mul(s.h, s.attn, n, m.workers)
	add(s.x, s.h[:n*c.Hidden])
}

// position normalises each head where the family does so, and turns it by its position.
func (m *Model) position(heads, norm []float32, perToken int) {
	d, half := m.Config.HeadDim, m.Config.HeadDim/2
	for i := range len(heads) / d {
		head, t := heads[i*d:(i+1)*d], i/perToken
		if norm != nil {
			rmsNorm(head, head, norm, m.Config.Eps)
		}
		rotate(head, m.scratch.cos[t*half:(t+1)*half], m.scratch.sin[t*half:(t+1)*half])
	}
}

// attend computes one head of one token: a mean of the values, weighted by how well each
// key fits the query. Keys and values begin at the head's first dimension.
func (m *Model) attend(out, q, keys, values, scores []float32) {
	d, kv := m.Config.HeadDim, m.Config.kv()
	scale := float32(1 / math.Sqrt(float64(d)))
	for j := range scores {
		scores[j] = dot(q, keys[j*kv:j*kv+d]) * scale
	}
	softmax(scores)
	clear(out)
	for j, p := range scores {
		for i, v := range values[j*kv : j*kv+d] {
			out[i] += p * v
		}
	}
}

func (m *Model) mlp(l *layer, n int) {
	s, c := &m.scratch, m.Config
	m.normRows(l.mlpNorm, n)
	l.gate.mul(s.gate, s.h, n, m.workers)
	l.up.mul(s.up, s.h, n, m.workers)
	for i, g := range s.gate[:n*c.Intermediate] {
		s.gate[i] = g / (1 + float32(math.Exp(float64(-g)))) * s.up[i]
	}
	l.down.mul(s.h, s.gate, n, m.workers)
	add(s.x, s.h[:n*c.Hidden])
}

// normRows writes the normalised rows of x to h.
func (m *Model) normRows(weight []float32, n int) {
	d := m.Config.Hidden
	for t := range n {
		rmsNorm(m.scratch.h[t*d:(t+1)*d], m.scratch.x[t*d:(t+1)*d], weight, m.Config.Eps)
	}
}

func rmsNorm(dst, x, weight []float32, eps float32) {
	scale := float32(1 / math.Sqrt(float64(dot(x, x)/float32(len(x))+eps)))
	for i, w := range weight {
		dst[i] = w * (x[i] * scale)
	}
}

func softmax(x []float32) {
	top := x[0]
	for _, v := range x {
		top = max(top, v)
	}
	var sum float32
	for i, v := range x {
		x[i] = float32(math.Exp(float64(v - top)))
		sum += x[i]
	}
	for i := range x {
		x[i] /= sum
	}
}

func add(dst, x []float32) {
	for i, v := range x {
		dst[i] += v
	}
}
