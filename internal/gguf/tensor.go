package gguf

import "math"

// A tensor is one entry of the list.
type tensor struct {
	name   string
	dims   []uint64
	kind   uint32
	offset uint64
}

// A block is the unit of a type of tensors.
type block struct{ elements, bytes int64 }

// blocks are the units of the types, as ggml numbers them; those that are gone or unknown
// are missing.
var blocks = map[uint32]block{
	0: {1, 4}, 1: {1, 2}, 2: {32, 18}, 3: {32, 20}, 6: {32, 22}, 7: {32, 24}, 8: {32, 34}, 9: {32, 36},
	10: {256, 84}, 11: {256, 110}, 12: {256, 144}, 13: {256, 176}, 14: {256, 210}, 15: {256, 292},
	16: {256, 66}, 17: {256, 74}, 18: {256, 98}, 19: {256, 50}, 20: {32, 18}, 21: {256, 110}, 22: {256, 82}, 23: {256, 136},
	24: {1, 1}, 25: {1, 2}, 26: {1, 4}, 27: {1, 8}, 28: {1, 8}, 29: {256, 56}, 30: {1, 2},
	34: {256, 54}, 35: {256, 66}, 39: {32, 17}, 40: {64, 36}, 41: {128, 18}, 42: {64, 18},
}

// end is where the tensor ends, counted from where the tensors begin, in bytes; -1 where
// no file could hold it.
func (t tensor) end() int64 {
	b, known := blocks[t.kind]
	if !known {
		b = block{1, 0}
	}
	elements := int64(1)
	for _, n := range t.dims {
		if n > math.MaxInt64 || (n > 0 && elements > math.MaxInt64/int64(n)) {
			return -1
		}
		elements *= int64(n)
	}
	units := (elements + b.elements - 1) / b.elements
	if t.offset > math.MaxInt64/2 || (b.bytes > 0 && units > math.MaxInt64/2/b.bytes) {
		return -1
	}
	return int64(t.offset) + units*b.bytes
}
