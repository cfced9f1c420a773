// Package safetensors reads the header of a safetensors file and says whether it can be
// the header of a file of that size, without reading a byte of the tensors: a truncated
// download, a Git LFS pointer and an HTML page are told apart from weights.
//
//	n, err := safetensors.HeaderLen(first8, size)
//	h, err := safetensors.Parse(next[:n], size)
//	for _, t := range h.Tensors {
//		fmt.Println(t.Name, t.DType, t.Shape, t.Begin, t.End)
//	}
//
// The rules are those of the format's own library: the header is at most 100 MB of JSON
// that begins with "{", tensors lie one after another without a gap, and the last one ends
// where the file ends. An unknown dtype is accepted, so that a newer file is not refused.
package safetensors
