package model

import (
	"math"
	"sync"
)

// A matrix holds weights in bf16, as they are in the file, or in f32.
type matrix struct {
	rows, cols int
	bf16       []uint16
	f32        []float32
	bias       []float32 // one per row; nil means none
}

// row returns row r in f32, using buf where it has to be converted.
func (m *matrix) row(buf []float32, r int) []float32 {
	if m.f32 != nil {
		return m.f32[r*m.cols : (r+1)*m.cols]
	}
	buf = buf[:m.cols]
	for i, w := range m.bf16[r*m.cols : (r+1)*m.cols] {
		buf[i] = math.Float32frombits(uint32(w) << 16)
	}
	return buf
}

// mul computes dst = x·mᵀ + bias for n rows of x. Every element is summed in the same
// order whatever n and workers are.
func (m *matrix) mul(dst, x []float32, n, workers int) {
	parallel(workers, m.rows, m.rows*m.cols*n, func(lo, hi int) {
		var buf []float32
		if m.f32 == nil && n > 1 {
			buf = make([]float32, m.cols)
		}
		for r := lo; r < hi; r++ {
			if m.f32 == nil && n == 1 {
				dst[r] = dotBF16(m.bf16[r*m.cols:(r+1)*m.cols], x)
			} else {
				w := m.row(buf, r)
				for t := range n {
					dst[t*m.rows+r] = dot(w, x[t*m.cols:(t+1)*m.cols])
				}
			}
			if m.bias != nil {
				for t := range n {
					dst[t*m.rows+r] += m.bias[r]
				}
			}
		}
	})
}

// dot is the sum of products, in four interleaved sums.
func dot(w, x []float32) float32 {
	var s0, s1, s2, s3 float32
	x = x[:len(w)]
	for len(w) >= 8 {
		a, b := w[:8], x[:8]
		s0 += a[0] * b[0]
		s1 += a[1] * b[1]
		s2 += a[2] * b[2]
		s3 += a[3] * b[3]
		s0 += a[4] * b[4]
		s1 += a[5] * b[5]
		s2 += a[6] * b[6]
		s3 += a[7] * b[7]
		w, x = w[8:], x[8:]
	}
	for i, v := range w {
		s0 += v * x[i]
	}
	return (s0 + s1) + (s2 + s3)
}

// dotBF16 is dot with weights that are widened on the way; it adds in the same order.
func dotBF16(w []uint16, x []float32) float32 {
	var s0, s1, s2, s3 float32
	x = x[:len(w)]
	for len(w) >= 8 {
		a, b := w[:8], x[:8]
		s0 += wide(a[0]) * b[0]
		s1 += wide(a[1]) * b[1]
		s2 += wide(a[2]) * b[2]
		s3 += wide(a[3]) * b[3]
		s0 += wide(a[4]) * b[4]
		s1 += wide(a[5]) * b[5]
		s2 += wide(a[6]) * b[6]
		s3 += wide(a[7]) * b[7]
		w, x = w[8:], x[8:]
	}
	for i, v := range w {
		s0 += wide(v) * x[i]
	}
	return (s0 + s1) + (s2 + s3)
}

func wide(w uint16) float32 { return math.Float32frombits(uint32(w) << 16) }

// enough is the work, in multiplications, below which a goroutine costs more than it saves.
const enough = 1 << 16

// parallel cuts 0..n into ranges and runs f on them, on up to workers goroutines that have
// ended when it returns.
func parallel(workers, n, work int, f func(lo, hi int)) {
	workers = min(workers, n, work/enough)
	if workers <= 1 {
		f(0, n)
		return
	}
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() { f(w*n/workers, (w+1)*n/workers) })
	}
	wg.Wait()
}
