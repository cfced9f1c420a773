//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// A disk is a small file system in memory that can be made full.
type disk struct{ dir string }

// newDisk mounts one of size bytes at dir.
func newDisk(dir string, size int64) (*disk, error) {
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+strconv.FormatInt(size, 10)); err != nil {
		return nil, fmt.Errorf("mount a small tmpfs, as root: %w", err)
	}
	return &disk{dir}, nil
}

func (d *disk) ballast() string { return filepath.Join(d.dir, "ballast") }

// fill writes until there is no space.
func (d *disk) fill() error {
	f, err := os.Create(d.ballast())
	if err != nil {
		return err
	}
	_, err = io.Copy(f, zeros{})
	if errors.Is(err, unix.ENOSPC) {
		err = nil
	}
	return errors.Join(err, f.Close())
}

func (d *disk) free() error { return os.Remove(d.ballast()) }

func (d *disk) close() { _ = unix.Unmount(d.dir, unix.MNT_DETACH) }

// zeros has no end.
type zeros struct{}

// Read implements io.Reader.
func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
