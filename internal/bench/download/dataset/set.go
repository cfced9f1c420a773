//go:build linux

// Package dataset makes the files that the benchmark downloads, random bytes that are the
// same on every machine, and checks what a downloader made of them.
//
//	set, err := dataset.Make(ctx, dir, dataset.Model(1))
//	err = set.Check(target)
package dataset

import (
	"fmt"
	"slices"
)

const (
	kib = 1 << 10
	mib = 1 << 20
)

// A File is one of a set.
type File struct {
	Path string // slash-separated
	Size int64  // bytes
	CRC  uint64 // CRC64NVME; known once the file was made
}

// A Set is what one run downloads.
type Set struct {
	Name  string
	Text  string // what it is, for a reader
	Dir   string // the files lie here once they were made
	Files []File
}

// Size returns the sum of the sizes, in bytes.
func (s *Set) Size() int64 {
	var n int64
	for _, f := range s.Files {
		n += f.Size
	}
	return n
}

// Sets returns the sets that there are: "model", "small" and "one", all sizes (and the
// number of files of small) multiplied by scale.
func Sets(scale float64) []*Set { return []*Set{Model(scale), Small(scale), One(scale)} }

// Model is a checkpoint: 4 × 512 MiB and 40 small files.
func Model(scale float64) *Set {
	s := &Set{Name: "model"}
	shard := scaled(512*mib, scale)
	for i := range 4 {
		s.add(fmt.Sprintf("model-%05d-of-00004.safetensors", i+1), shard)
	}
	for i := range 40 {
		s.add(fmt.Sprintf("tokenizer/part-%02d.json", i), 240*kib)
	}
	s.Text = fmt.Sprintf("4 × %s and 40 small files", size(shard))
	return s.sorted()
}

// Small is 2,000 files of 1 to 63 KiB in 20 folders.
func Small(scale float64) *Set {
	s := &Set{Name: "small"}
	n := int(scaled(2000, scale))
	for i := range n {
		s.add(fmt.Sprintf("data/%02d/part-%04d.json", i%20, i), int64(1+i*7%63)*kib)
	}
	s.Text = fmt.Sprintf("%d files of 1 to 63 KiB", n)
	return s.sorted()
}

// One is a single file of 4 GiB.
func One(scale float64) *Set {
	s := &Set{Name: "one"}
	s.add("model.safetensors", scaled(4096*mib, scale))
	s.Text = "one file of " + size(s.Size())
	return s
}

func (s *Set) add(path string, size int64) { s.Files = append(s.Files, File{Path: path, Size: size}) }

func (s *Set) sorted() *Set {
	slices.SortFunc(s.Files, func(a, b File) int {
		if a.Path < b.Path {
			return -1
		}
		return 1
	})
	return s
}

func scaled(n int64, scale float64) int64 { return max(1, int64(float64(n)*scale)) }

func size(n int64) string {
	if n >= 1024*mib && n%(1024*mib) == 0 {
		return fmt.Sprintf("%d GiB", n/(1024*mib))
	}
	return fmt.Sprintf("%d MiB", n/mib)
}
