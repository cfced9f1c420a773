package model

import (
	"fmt"
	"math"
)

// Rope says how positions turn queries and keys.
type Rope struct {
	Theta  float64
	Llama3 *Llama3Rope // nil means plain
}

// Llama3Rope stretches the slow frequencies, as Llama 3.1 and later do.
type Llama3Rope struct {
	Factor, Low, High float64
	Original          float64 // positions the model was first trained with
}

// ropeFile is rope_scaling, or rope_parameters.
type ropeFile struct {
	Theta    *float64 `json:"rope_theta"`
	Type     string   `json:"rope_type"`
	OldType  string   `json:"type"`
	Factor   float64  `json:"factor"`
	Low      float64  `json:"low_freq_factor"`
	High     float64  `json:"high_freq_factor"`
	Original float64  `json:"original_max_position_embeddings"`
	Partial  *float64 `json:"partial_rotary_factor"`
}

func (f *file) rope() (Rope, error) {
	r := Rope{Theta: or(f.RopeTheta, 10000)}
	p := f.RopeParameters
	if p == nil {
		p = f.RopeScaling
	}
	if p != nil {
		r.Theta = or(p.Theta, r.Theta)
		kind := p.Type
		if kind == "" {
			kind = p.OldType
		}
		switch {
		case p.Partial != nil && *p.Partial != 1:
			return r, fmt.Errorf("partial_rotary_factor %v is not supported", *p.Partial)
		case kind == "" || kind == "default":
		case kind == "llama3":
			r.Llama3 = &Llama3Rope{Factor: p.Factor, Low: p.Low, High: p.High, Original: p.Original}
			if !(p.Factor > 0 && p.Low > 0 && p.High > p.Low && p.Original > 0) {
				return r, fmt.Errorf("rope_scaling llama3 with factor %v, low %v, high %v, original %v", p.Factor, p.Low, p.High, p.Original)
			}
		default:
			return r, fmt.Errorf("rope_scaling type %q: only llama3 is supported", kind)
		}
	}
	if !(r.Theta > 1) {
		return r, fmt.Errorf("rope_theta is %v", r.Theta)
	}
	return r, nil
}

// frequencies returns the angle per position of each pair of dimensions.
func (r Rope) frequencies(headDim int) []float32 {
	out := make([]float32, headDim/2)
	for i := range out {
		f := float64(float32(1 / math.Pow(r.Theta, float64(2*i)/float64(headDim))))
		if r.Llama3 != nil {
			f = r.Llama3.stretch(f)
		}
		out[i] = float32(f)
	}
	return out
}

func (l *Llama3Rope) stretch(f float64) float64 {
	wave := 2 * math.Pi / f
	switch {
	case wave < l.Original/l.High:
		return f
	case wave > l.Original/l.Low:
		return f / l.Factor
	default:
		smooth := (l.Original/wave - l.Low) / (l.High - l.Low)
		return (1-smooth)*f/l.Factor + smooth*f
	}
}

// angles fills cos and sin, one row of len(freq) per position from start on.
func angles(cos, sin, freq []float32, start, n int) {
	for t := range n {
		for i, f := range freq {
			s, c := math.Sincos(float64(float32(start+t) * f))
			cos[t*len(freq)+i], sin[t*len(freq)+i] = float32(c), float32(s)
		}
	}
}

// rotate turns one head in place: dimension i goes with dimension i + half.
func rotate(head, cos, sin []float32) {
	half := len(head) / 2
	a, b := head[:half], head[half:]
	for i := range a {
		x, y := a[i], b[i]
		a[i] = x*cos[i] - y*sin[i]
		b[i] = y*cos[i] + x*sin[i]
	}
}
