package generate

import (
	"cmp"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
)

// Sampling says how tokens are chosen.
type Sampling struct {
	Temperature float64 // 0 takes the likeliest
	TopP        float64 // of the likeliest tokens, as many as have this share; 0 and 1 mean all
	TopK        int     // at most this many of the likeliest; 0 means all
	Seed        *int64  // the same seed gives the same answer; nil means the Generator's
}

var errNotANumber = errors.New("the model's output is not a number: its weights may be damaged")

// sampler chooses tokens. It keeps its memory from token to token.
type sampler struct {
	Sampling
	rand  *rand.Rand
	cands []candidate
}

type candidate struct {
	id     int
	weight float64 // not normalised
}

func (s *sampler) next(logits []float32) (int, error) {
	best, err := likeliest(logits)
	if err != nil || s.Temperature == 0 {
		return best, err
	}
	s.weigh(logits, logits[best])
	s.cut()
	var sum float64
	for _, c := range s.cands {
		sum += c.weight
	}
	at := s.rand.Float64() * sum
	for _, c := range s.cands {
		if at -= c.weight; at < 0 {
			return c.id, nil
		}
	}
	return s.cands[len(s.cands)-1].id, nil
}

// likeliest returns the first of the largest logits.
func likeliest(logits []float32) (int, error) {
	best := 0
	for i, v := range logits {
		if v != v {
			return 0, errNotANumber
		}
		if v > logits[best] {
			best = i
		}
	}
	if math.IsInf(float64(logits[best]), 0) {
		return 0, errNotANumber
	}
	return best, nil
}

// weigh fills the candidates in order of their ids; the likeliest has the weight 1.
func (s *sampler) weigh(logits []float32, top float32) {
	s.cands = s.cands[:0]
	for id, v := range logits {
		if w := math.Exp(float64(v-top) / s.Temperature); w > 0 {
			s.cands = append(s.cands, candidate{id, w})
		}
	}
}

// cut leaves the candidates that TopK and TopP allow.
func (s *sampler) cut() {
	topP := s.TopP > 0 && s.TopP < 1
	if !topP && (s.TopK <= 0 || s.TopK >= len(s.cands)) {
		return
	}
	slices.SortFunc(s.cands, func(a, b candidate) int { return cmp.Or(cmp.Compare(b.weight, a.weight), cmp.Compare(a.id, b.id)) })
	if s.TopK > 0 && s.TopK < len(s.cands) {
		s.cands = s.cands[:s.TopK]
	}
	if !topP {
		return
	}
	var sum, share float64
	for _, c := range s.cands {
		sum += c.weight
	}
	for i, c := range s.cands {
		if share += c.weight; share >= s.TopP*sum {
			s.cands = s.cands[:i+1]
			return
		}
	}
}
