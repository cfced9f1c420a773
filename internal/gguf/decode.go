package gguf

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"
)

// A decoder reads little-endian values and knows how far it has come.
type decoder struct {
	r    *bufio.Reader
	at   int64
	size int64
}

func (d *decoder) read(b []byte) error {
	n, err := io.ReadFull(d.r, b)
	d.at += int64(n)
	return err
}

// numbers reads into *uint32 and *uint64.
func (d *decoder) numbers(into ...any) error {
	for _, v := range into {
		n, err := d.number(binary.Size(v))
		if err != nil {
			return err
		}
		switch v := v.(type) {
		case *uint32:
			*v = uint32(n) //nolint:gosec // it was read from four bytes
		case *uint64:
			*v = n
		}
	}
	return nil
}

// number reads one of 1, 2, 4 or 8 bytes.
func (d *decoder) number(bytes int) (uint64, error) {
	var b [8]byte
	err := d.read(b[:bytes])
	return binary.LittleEndian.Uint64(b[:]), err
}

// length reads that of a string. One that the file cannot hold is not even tried.
func (d *decoder) length() (int64, error) {
	n, err := d.number(8)
	if err != nil {
		return 0, err
	}
	switch left := uint64(max(0, d.size-d.at)); {
	case n > left:
		return 0, fmt.Errorf("%w: a string of %d bytes at byte %d of %d", ErrTruncated, n, d.at, d.size)
	case n > maxText:
		return 0, fmt.Errorf("a string of %d bytes at byte %d", n, d.at)
	}
	return int64(n), nil
}

func (d *decoder) text() (string, error) {
	n, err := d.length()
	if err != nil {
		return "", err
	}
	b := make([]byte, n)
	err = d.read(b)
	return string(b), err
}

func (d *decoder) skip(n int64) error {
	for n > 0 {
		skipped, err := d.r.Discard(int(min(n, 1<<30)))
		d.at += int64(skipped)
		n -= int64(skipped)
		if err != nil {
			return err
		}
	}
	return nil
}

// The types of values, as the format numbers them.
const (
	kindU8 = iota
	kindI8
	kindU16
	kindI16
	kindU32
	kindI32
	kindF32
	kindBool
	kindString
	kindList
	kindU64
	kindI64
	kindF64
)

// widths are the bytes of a value; 0 for those that tell their length.
var widths = [...]int{
	kindU8: 1, kindI8: 1, kindU16: 2, kindI16: 2, kindU32: 4, kindI32: 4, kindF32: 4, kindBool: 1,
	kindString: 0, kindList: 0, kindU64: 8, kindI64: 8, kindF64: 8,
}

// value reads one; nil for a list.
func (d *decoder) value(kind uint32, depth int) (any, error) {
	if int64(kind) >= int64(len(widths)) {
		return nil, fmt.Errorf("a value of the unknown type %d", kind)
	}
	switch kind {
	case kindString:
		return d.text()
	case kindList:
		return nil, d.list(depth + 1)
	}
	width := widths[kind]
	n, err := d.number(width)
	switch kind {
	case kindBool:
		return n != 0, err
	case kindF32:
		return float64(math.Float32frombits(uint32(n))), err //nolint:gosec // it was read from four bytes
	case kindF64:
		return math.Float64frombits(n), err
	case kindI8, kindI16, kindI32, kindI64:
		unused := 64 - 8*width
		return int64(n) << unused >> unused, err //nolint:gosec // the sign is meant
	}
	return n, err
}

// list reads over one.
func (d *decoder) list(depth int) error {
	var kind uint32
	var n uint64
	if err := d.numbers(&kind, &n); err != nil {
		return err
	}
	left := uint64(max(0, d.size-d.at))
	switch {
	case int64(kind) >= int64(len(widths)):
		return fmt.Errorf("a list of the unknown type %d", kind)
	case depth > maxNesting:
		return fmt.Errorf("lists within lists at byte %d", d.at)
	case n > left:
		return fmt.Errorf("%w: a list of %d at byte %d of %d", ErrTruncated, n, d.at, d.size)
	}
	if width := int64(widths[kind]); width > 0 {
		return d.skip(int64(n) * width)
	}
	for range n {
		if err := d.element(kind, depth); err != nil {
			return err
		}
	}
	return nil
}

// element reads over a string or a list of a list.
func (d *decoder) element(kind uint32, depth int) error {
	if kind == kindList {
		return d.list(depth + 1)
	}
	n, err := d.length()
	if err != nil {
		return err
	}
	return d.skip(n)
}
