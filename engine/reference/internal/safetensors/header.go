package safetensors

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
)

// maxHeader is the format's own limit, in bytes.
const maxHeader = 100_000_000

// prefixSize is the length of the header's length.
const prefixSize = 8

// elementSize is the bytes of one element for each dtype of the format.
var elementSize = map[string]int64{
	"BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1,
	"U16": 2, "I16": 2, "F16": 2, "BF16": 2,
	"U32": 4, "I32": 4, "F32": 4,
	"U64": 8, "I64": 8, "F64": 8,
}

// Info describes one tensor of a header.
type Info struct {
	DType string // such as BF16
	Shape []int
	Begin int64 // first byte, from the end of the header
	End   int64 // one after the last byte
}

// Elements is the product of the shape.
func (i Info) Elements() int64 {
	n := int64(1)
	for _, d := range i.Shape {
		n *= int64(d)
	}
	return n
}

// headerSize checks the length that a file of size bytes gives for its header.
func headerSize(prefix []byte, size int64) (int64, error) {
	n := binary.LittleEndian.Uint64(prefix)
	if n > maxHeader {
		return 0, fmt.Errorf("the header claims %d bytes, more than the format's %d", n, maxHeader)
	}
	if int64(n) > size-prefixSize {
		return 0, fmt.Errorf("the header claims %d bytes, the file has %d", n, size-prefixSize)
	}
	return int64(n), nil
}

// parseHeader checks a header against the number of bytes that follow it.
func parseHeader(header []byte, data int64) (map[string]Info, error) {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(header, &raw); err != nil {
		return nil, fmt.Errorf("the header is not a JSON object: %w", err)
	}
	tensors := make(map[string]Info, len(raw))
	for name, value := range raw {
		if name == "__metadata__" {
			continue
		}
		info, err := parseInfo(value)
		if err != nil {
			return nil, fmt.Errorf("tensor %.100q: %w", name, err)
		}
		tensors[name] = info
	}
	return tensors, checkLayout(tensors, data)
}

func parseInfo(value []byte) (Info, error) {
	var v struct {
		DType   string  `json:"dtype"`
		Shape   []int64 `json:"shape"`
		Offsets []int64 `json:"data_offsets"`
	}
	if err := json.Unmarshal(value, &v); err != nil {
		return Info{}, err
	}
	if len(v.Offsets) != 2 || v.Offsets[0] < 0 || v.Offsets[1] < v.Offsets[0] {
		return Info{}, fmt.Errorf("data_offsets %v", v.Offsets)
	}
	info := Info{DType: v.DType, Begin: v.Offsets[0], End: v.Offsets[1]}
	elements := int64(1)
	for _, d := range v.Shape {
		if d < 0 || d > math.MaxInt32 || (d > 0 && elements > math.MaxInt64/8/d) {
			return Info{}, fmt.Errorf("shape %v", v.Shape)
		}
		elements *= d
		info.Shape = append(info.Shape, int(d))
	}
	width, known := elementSize[v.DType]
	if known && elements*width != info.End-info.Begin {
		return Info{}, fmt.Errorf("%d elements of %s do not fill %d bytes", elements, v.DType, info.End-info.Begin)
	}
	return info, nil
}

// checkLayout makes sure that the tensors cover the data: no hole, no overlap, no rest.
func checkLayout(tensors map[string]Info, data int64) error {
	spans := make([]Info, 0, len(tensors))
	for _, t := range tensors {
		spans = append(spans, t)
	}
	slices.SortFunc(spans, func(a, b Info) int {
		return cmp.Or(cmp.Compare(a.Begin, b.Begin), cmp.Compare(a.End, b.End))
	})
	var at int64
	for _, s := range spans {
		if s.Begin != at {
			return fmt.Errorf("tensors overlap or leave a hole at byte %d", at)
		}
		at = s.End
	}
	if at > data {
		return fmt.Errorf("the file is cut short: tensors need %d bytes, %d are there", at, data)
	}
	if at < data {
		return errors.New("the file goes on after its last tensor")
	}
	return nil
}
