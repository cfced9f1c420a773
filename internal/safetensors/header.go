package safetensors

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// MaxHeader is the largest header that the format allows, in bytes.
const MaxHeader = 100_000_000

// ErrTruncated is wrapped by errors that say the file is shorter than its header promises.
var ErrTruncated = errors.New("the file is truncated")

// A Header describes the tensors of a file.
type Header struct {
	Metadata map[string]string // the "__metadata__" entry; nil when there is none
	Tensors  []Tensor          // in the order of their bytes
	Data     int64             // where the tensors begin in the file, in bytes
}

// A Tensor is one entry of a header.
type Tensor struct {
	Name       string
	DType      string // "BF16", "F32", …
	Shape      []int64
	Begin, End int64 // relative to Header.Data, in bytes
}

// HeaderLen returns how many bytes of JSON follow the first eight of a file of size bytes.
func HeaderLen(first []byte, size int64) (int64, error) {
	if size < 8 || len(first) < 8 {
		return 0, fmt.Errorf("%w: %d bytes are too few for a header", ErrTruncated, size)
	}
	if string(first[:8]) == "version " {
		return 0, errors.New("it is a Git LFS pointer, not the file itself")
	}
	n := binary.LittleEndian.Uint64(first)
	switch {
	case n > MaxHeader:
		return 0, fmt.Errorf("it is no safetensors file: a header of %d bytes (at most %d)", n, MaxHeader)
	case n < 2:
		return 0, fmt.Errorf("it is no safetensors file: a header of %d bytes", n)
	case int64(n) > size-8:
		return 0, fmt.Errorf("%w: a header of %d bytes in a file of %d", ErrTruncated, n, size)
	}
	return int64(n), nil
}

// Parse reads header, the JSON after the first eight bytes of a file of size bytes, and
// checks it against that size.
func Parse(header []byte, size int64) (*Header, error) {
	if len(header) == 0 || header[0] != '{' {
		return nil, errors.New("the header does not begin with {")
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(header, &raw); err != nil {
		return nil, fmt.Errorf("the header is not JSON: %w", err)
	}
	h := &Header{Data: 8 + int64(len(header)), Tensors: make([]Tensor, 0, len(raw))}
	for name, value := range raw {
		if err := h.add(name, value); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(h.Tensors, func(a, b Tensor) int {
		return cmp.Or(cmp.Compare(a.Begin, b.Begin), cmp.Compare(a.End, b.End), cmp.Compare(a.Name, b.Name))
	})
	return h, h.check(size)
}

func (h *Header) add(name string, value json.RawMessage) error {
	if name == "__metadata__" {
		if err := json.Unmarshal(value, &h.Metadata); err != nil {
			return fmt.Errorf("__metadata__: %w", err)
		}
		return nil
	}
	var t struct {
		DType   string  `json:"dtype"`
		Shape   []int64 `json:"shape"`
		Offsets []int64 `json:"data_offsets"`
	}
	if err := json.Unmarshal(value, &t); err != nil {
		return fmt.Errorf("tensor %q: %w", name, err)
	}
	if t.DType == "" || len(t.Offsets) != 2 {
		return fmt.Errorf("tensor %q lacks dtype or data_offsets", name)
	}
	h.Tensors = append(h.Tensors, Tensor{name, t.DType, t.Shape, t.Offsets[0], t.Offsets[1]})
	return nil
}

// check walks the tensors in the order of their bytes; each has to begin where the one
// before it ends.
func (h *Header) check(size int64) error {
	var end int64
	for _, t := range h.Tensors {
		if t.End < t.Begin {
			return fmt.Errorf("tensor %q ends at %d before it begins at %d", t.Name, t.End, t.Begin)
		}
		if t.Begin != end {
			return fmt.Errorf("tensor %q begins at byte %d instead of %d: tensors overlap or leave a gap", t.Name, t.Begin, end)
		}
		if want, known := t.bytes(); known && want != t.End-t.Begin {
			return fmt.Errorf("tensor %q has %d bytes instead of the %d of %s%v", t.Name, t.End-t.Begin, want, t.DType, t.Shape)
		}
		end = t.End
	}
	switch have := size - h.Data; {
	case have < end:
		return fmt.Errorf("%w: %d of %d bytes are there", ErrTruncated, size, h.Data+end)
	case have > end:
		return fmt.Errorf("%d bytes after the last tensor belong to none", have-end)
	}
	return nil
}
