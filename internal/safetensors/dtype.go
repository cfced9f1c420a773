package safetensors

import "math"

// bitsOf holds the size of an element.
var bitsOf = map[string]int64{
	"F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
	"BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
	"I16": 16, "U16": 16, "F16": 16, "BF16": 16,
	"I32": 32, "U32": 32, "F32": 32,
	"I64": 64, "U64": 64, "F64": 64, "C64": 64,
}

// bytes returns how many bytes dtype and shape need, and whether the dtype is known. An
// impossible shape needs -1 bytes, which no tensor has.
func (t Tensor) bytes() (int64, bool) {
	bits, known := bitsOf[t.DType]
	if !known {
		return 0, false
	}
	for _, n := range t.Shape {
		if n < 0 || (n > 0 && bits > math.MaxInt64/n) {
			return -1, true
		}
		bits *= n
	}
	if bits%8 != 0 {
		return -1, true
	}
	return bits / 8, true
}
