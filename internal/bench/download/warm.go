//go:build linux

package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
)

// warmMore is for what a program needs beside its files.
const warmMore = 512 << 20

// warm takes as much memory as the set needs, and gives it back at once. A virtual machine may
// return free memory to its host (free page reporting), after which whoever is the first to use it
// pays for the host's search for some: up to twice the time of a download, by luck of the draw.
func (l *lab) warm(size int64) error {
	if fileSystem(l.target) != inMemory {
		return nil
	}
	f, err := os.Create(filepath.Join(l.target, "warm"))
	if err != nil {
		return err
	}
	_, err = io.CopyN(f, zeros{}, size+warmMore)
	return errors.Join(err, f.Close(), os.Remove(f.Name()))
}

// zeros never end.
type zeros struct{}

// Read implements io.Reader.
func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
