package weights

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/spinup-llm/spinup/internal/safetensors"
	"github.com/spinup-llm/spinup/lifecycle"
)

// chunk is how many bytes are read between two looks at the context.
const chunk = 1 << 20

// A Tensor is one tensor of a Set.
type Tensor struct {
	safetensors.Tensor
	file *file
}

// Size is the number of its bytes.
func (t Tensor) Size() int64 { return t.End - t.Begin }

// Elements is the product of the shape.
func (t Tensor) Elements() int64 {
	n := int64(1)
	for _, d := range t.Shape {
		n *= d
	}
	return n
}

// BF16 reads a tensor of dtype BF16 as it is. read is called with the bytes of each piece.
func (t Tensor) BF16(ctx context.Context, read func(int)) ([]uint16, error) {
	if t.DType != "BF16" {
		return nil, t.unsupported()
	}
	out := make([]uint16, 0, t.Elements())
	err := t.pieces(ctx, read, func(b []byte) {
		for ; len(b) >= 2; b = b[2:] {
			out = append(out, binary.LittleEndian.Uint16(b))
		}
	})
	return out, err
}

// Floats reads a tensor of dtype F32, F16 or BF16 as float32; nothing is rounded.
func (t Tensor) Floats(ctx context.Context, read func(int)) ([]float32, error) {
	convert, width := converter(t.DType)
	if convert == nil {
		return nil, t.unsupported()
	}
	out := make([]float32, 0, t.Elements())
	err := t.pieces(ctx, read, func(b []byte) {
		for ; len(b) >= width; b = b[width:] {
			out = append(out, convert(b))
		}
	})
	return out, err
}

// Is reports whether the tensor has that shape.
func (t Tensor) Is(shape ...int) bool {
	return slices.EqualFunc(t.Shape, shape, func(a int64, b int) bool { return a == int64(b) })
}

func (t Tensor) unsupported() error {
	return &lifecycle.Error{
		Op: "weights.Read", Kind: lifecycle.Invalid, Target: t.file.Name(),
		Err:  fmt.Errorf("tensor %q is of dtype %s", t.Name, t.DType),
		Hint: "use weights in BF16, F16 or F32",
	}
}

// pieces calls f with the tensor's bytes, in order, whole elements at a time.
func (t Tensor) pieces(ctx context.Context, read func(int), f func([]byte)) error {
	buf := make([]byte, min(chunk, t.Size()))
	for at := t.Begin; at < t.End; {
		if err := lifecycle.FromContext(ctx, "weights.Read", t.file.Name()); err != nil {
			return err
		}
		b := buf[:min(chunk, t.End-at)]
		if _, err := t.file.ReadAt(b, t.file.header.Data+at); err != nil {
			return corrupt(t.file.Name(), noEOF(err))
		}
		f(b)
		read(len(b))
		at += int64(len(b))
	}
	return nil
}

func converter(dtype string) (f func([]byte) float32, width int) {
	switch dtype {
	case "F32":
		return func(b []byte) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(b)) }, 4
	case "BF16":
		return func(b []byte) float32 { return math.Float32frombits(uint32(binary.LittleEndian.Uint16(b)) << 16) }, 2
	case "F16":
		return func(b []byte) float32 { return half(binary.LittleEndian.Uint16(b)) }, 2
	default:
		return nil, 0
	}
}

// half converts an IEEE 754 binary16, subnormals, infinities and NaNs included.
func half(h uint16) float32 {
	sign, exponent, fraction := uint32(h>>15)<<31, uint32(h>>10)&0x1f, uint32(h)&0x3ff
	switch exponent {
	case 0: // zero or subnormal: fraction × 2⁻²⁴
		f := math.Float32bits(float32(fraction) * (1.0 / (1 << 24)))
		return math.Float32frombits(sign | f)
	case 0x1f:
		return math.Float32frombits(sign | 0xff<<23 | fraction<<13)
	default:
		return math.Float32frombits(sign | (exponent+112)<<23 | fraction<<13)
	}
}
