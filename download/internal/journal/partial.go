// Package journal is the memory of a directory of downloads: which ranges of an unfinished
// file have arrived, and which finished files were verified. Both are lines of JSON that
// are only appended, so a process that is killed loses at most its last line.
package journal

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"slices"
)

// maxLine bounds a line in bytes; the longest real one holds a path, an ETag and a digest.
const maxLine = 64 << 10

// A Header begins the journal of a partial file. What it holds may be used only for a file
// that is equal in all of Path, Size, Version and Digest.
type Header struct {
	Path    string `json:"path"`
	Size    int64  `json:"size"` // bytes
	Version string `json:"version,omitempty"`
	Digest  string `json:"digest,omitempty"`
	CRC     string `json:"crc"`            // the kind of the segments' sums
	Boot    string `json:"boot,omitempty"` // what was written in another boot may not have reached the disk
}

// A Segment is a range that has arrived. A later record of the same Off replaces the
// earlier one, so a range in progress is written as it grows, and withdrawn with Len 0.
type Segment struct {
	Off int64  `json:"off"`
	Len int64  `json:"len"`
	Sum uint64 `json:"sum"`
}

// End is the offset after the segment's last byte.
func (s Segment) End() int64 { return s.Off + s.Len }

// ErrNoHeader means that a journal is empty or does not begin with a header.
var ErrNoHeader = errors.New("journal: no header")

// ReadPartial returns what a partial file's journal says: segments that are sorted, not
// empty, within the file, and do not overlap. A damaged line ends the journal.
func ReadPartial(r io.Reader) (Header, []Segment, error) {
	var h Header
	latest := map[int64]Segment{}
	seen := false
	for line := range lines(r) {
		if !seen {
			if json.Unmarshal(line, &h) != nil || h.CRC == "" || h.Size < 0 {
				return Header{}, nil, ErrNoHeader
			}
			seen = true
			continue
		}
		var s Segment
		if json.Unmarshal(line, &s) != nil {
			break
		}
		latest[s.Off] = s
	}
	if !seen {
		return Header{}, nil, ErrNoHeader
	}
	return h, disjoint(latest, h.Size), nil
}

// Encode returns the line of a Header, Segment or Verified.
func Encode[T Header | Segment | Verified](record T) []byte {
	line, err := json.Marshal(record)
	if err != nil { // strings and integers always encode
		panic(err)
	}
	return append(line, '\n')
}

func disjoint(latest map[int64]Segment, size int64) []Segment {
	all := make([]Segment, 0, len(latest))
	for _, s := range latest {
		if s.Off >= 0 && s.Len > 0 && s.Off <= size && s.Len <= size-s.Off {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b Segment) int { return cmp.Compare(a.Off, b.Off) })
	kept := all[:0]
	for _, s := range all {
		if len(kept) == 0 || s.Off >= kept[len(kept)-1].End() {
			kept = append(kept, s)
		}
	}
	return kept
}

// lines yields the lines that were written completely; what is too long ends them.
func lines(r io.Reader) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		s := bufio.NewScanner(r)
		s.Buffer(nil, maxLine)
		s.Split(func(data []byte, _ bool) (int, []byte, error) {
			i := bytes.IndexByte(data, '\n')
			if i < 0 {
				return 0, nil, nil
			}
			return i + 1, data[:i], nil
		})
		for s.Scan() {
			if !yield(s.Bytes()) {
				return
			}
		}
	}
}
