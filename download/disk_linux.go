package download

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// freeSpace returns which file system dir is on, and the bytes that this user can still
// write to it: any number where the file system has no size, as a tmpfs without a limit.
func freeSpace(dir string) (device uint64, free int64, err error) {
	var fs unix.Statfs_t
	var file unix.Stat_t
	if err := errors.Join(unix.Statfs(dir, &fs), unix.Stat(dir, &file)); err != nil {
		return 0, 0, fmt.Errorf("statfs %s: %w", dir, err)
	}
	if fs.Blocks == 0 {
		return file.Dev, math.MaxInt64, nil
	}
	unit := fs.Frsize // blocks are counted in these; Bsize is what is good to write at once
	if unit == 0 {
		unit = fs.Bsize
	}
	return file.Dev, int64(fs.Bavail) * unit, nil //nolint:gosec // no disk has 2^63 bytes
}

// allocated returns the bytes of disk that a file takes.
func allocated(info fs.FileInfo) int64 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return s.Blocks * 512
	}
	return 0
}

// reserve allocates a range of f without changing its size, where the file system can.
func reserve(f *os.File, off, n int64) error {
	err := unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_KEEP_SIZE, off, n)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EINTR) {
		return nil
	}
	return err
}

// writeBack starts to write a range to the disk and does not wait for it, so that the sync
// at the end of a file finds little to do.
func writeBack(f *os.File, off, n int64) {
	_ = unix.SyncFileRange(int(f.Fd()), off, n, unix.SYNC_FILE_RANGE_WRITE) // only a hint
}

func isFull(err error) bool {
	return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) || errors.Is(err, unix.EFBIG)
}

// bootID names this boot of the machine: what a killed process wrote in it is still there,
// in memory if not on disk.
var bootID = sync.OnceValue(func() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
})

// A fileID tells whether two names are links to the same file.
type fileID struct {
	device, inode uint64
	path          string // where there is nothing better
}

func identify(path string, info fs.FileInfo) fileID {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return fileID{device: s.Dev, inode: s.Ino}
	}
	return fileID{path: path}
}
