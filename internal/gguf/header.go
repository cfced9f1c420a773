package gguf

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/spinup-llm/spinup/lifecycle"
)

// ErrTruncated is wrapped by errors that say the file is shorter than its header promises.
var ErrTruncated = errors.New("the file is truncated")

// Limits of a header: far above those of any model, and low enough that a few wrong bytes
// cannot ask for much memory.
const (
	maxText    = 16 << 20 // bytes of a string, such as a chat template
	maxEntries = 1 << 20  // keys, or tensors
	maxNesting = 4        // of lists
	maxDims    = 8
)

// A Header is what stands before the tensors of a file.
type Header struct {
	Version  uint32
	Metadata map[string]any // uint64, int64, float64, bool or string; lists are left out
	Tensors  int
	Data     int64 // where the tensors begin in the file, in bytes
}

// Architecture is the family of models that the file is of, such as "llama".
func (h *Header) Architecture() string {
	s, _ := h.Metadata["general.architecture"].(string)
	return s
}

// Uint returns a whole number, or 0 where there is none of that name.
func (h *Header) Uint(key string) uint64 {
	switch n := h.Metadata[key].(type) {
	case uint64:
		return n
	case int64:
		return uint64(max(0, n))
	}
	return 0
}

// Read reads the header of a file of size bytes from its first one on, and checks it
// against that size. It reads little beyond the header. An error of r that has a kind is returned,
// with the key that was read.
func Read(r io.Reader, size int64) (*Header, error) {
	d := &decoder{r: bufio.NewReaderSize(r, 64<<10), size: size}
	h, err := d.header()
	switch {
	case err == nil:
		return h, nil
	case lifecycle.KindOf(err) != lifecycle.Unknown: // of r, whose connection may have ended, not the file
		return nil, err
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return nil, fmt.Errorf("%w: it ends within its header, after %d bytes", ErrTruncated, d.at)
	}
	return nil, err
}

func (d *decoder) header() (*Header, error) {
	h := &Header{Metadata: map[string]any{}}
	if err := d.magic(); err != nil {
		return nil, err
	}
	var tensors, keys uint64
	if err := d.numbers(&h.Version); err != nil {
		return nil, err
	}
	switch {
	case h.Version == 1:
		return nil, errors.New("it is of version 1 of the format, which llama.cpp reads no more")
	case h.Version > 3 && h.Version&0xffff == 0:
		return nil, errors.New("its bytes are in the other order: it was made for a big-endian machine")
	case h.Version < 1 || h.Version > 3:
		return nil, fmt.Errorf("it is of version %d of the format, and only 2 and 3 are known", h.Version)
	}
	if err := d.numbers(&tensors, &keys); err != nil {
		return nil, err
	}
	if tensors > maxEntries || keys > maxEntries {
		return nil, fmt.Errorf("a header with %d tensors and %d keys is no model's", tensors, keys)
	}
	for range keys {
		if err := d.entry(h.Metadata); err != nil {
			return nil, err
		}
	}
	h.Tensors = int(tensors)
	return h, d.tensors(h)
}

// magic refuses what is no GGUF file, and says what it is where that is known.
func (d *decoder) magic() error {
	var four [4]byte
	if err := d.read(four[:]); err != nil {
		return err
	}
	switch string(four[:]) {
	case "GGUF":
		return nil
	case "vers":
		return errors.New("it is a Git LFS pointer, not the file itself")
	case "ggml", "lmgg", "tjgg", "fmgg":
		return errors.New("it is a GGML file, the format before GGUF")
	}
	return fmt.Errorf("it is no GGUF file: it begins with %q", four)
}

// entry reads one key and its value.
func (d *decoder) entry(metadata map[string]any) error {
	key, err := d.text()
	if err != nil {
		return err
	}
	var kind uint32
	if err = d.numbers(&kind); err != nil {
		return err
	}
	value, err := d.value(kind, 0)
	if err != nil {
		return fmt.Errorf("key %q: %w", key, err)
	}
	if value != nil {
		metadata[key] = value
	}
	return nil
}

// tensors reads the list of tensors, finds where they begin, and holds them against the
// file's size.
func (d *decoder) tensors(h *Header) error {
	align := int64(32)
	if n := h.Uint("general.alignment"); n > 0 && n <= 1<<20 && n&(n-1) == 0 {
		align = int64(n)
	}
	var end int64
	for range h.Tensors {
		t, err := d.tensor()
		if err != nil {
			return err
		}
		last := t.end()
		if last < 0 {
			return fmt.Errorf("tensor %q has an impossible place or shape %v", t.name, t.dims)
		}
		end = max(end, last)
	}
	h.Data = (d.at + align - 1) / align * align
	if have := d.size - h.Data; h.Tensors > 0 && have < end {
		return fmt.Errorf("%w: %d of %d bytes are there", ErrTruncated, d.size, h.Data+end)
	}
	return nil
}

func (d *decoder) tensor() (t tensor, err error) {
	if t.name, err = d.text(); err != nil {
		return t, err
	}
	var n uint32
	if err = d.numbers(&n); err != nil {
		return t, err
	}
	if n > maxDims {
		return t, fmt.Errorf("tensor %q has %d dimensions", t.name, n)
	}
	t.dims = make([]uint64, n)
	for i := range t.dims {
		if err = d.numbers(&t.dims[i]); err != nil {
			return t, err
		}
	}
	return t, d.numbers(&t.kind, &t.offset)
}
