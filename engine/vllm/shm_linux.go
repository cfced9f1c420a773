package vllm

import "golang.org/x/sys/unix"

// sharedMemory returns the free bytes of /dev/shm, or false where there is none or it has no limit.
func sharedMemory() (int64, bool) {
	var fs unix.Statfs_t
	if err := unix.Statfs("/dev/shm", &fs); err != nil || fs.Blocks == 0 {
		return 0, false
	}
	return int64(fs.Bavail) * int64(fs.Bsize), true //nolint:gosec,unconvert // the fields' widths differ between architectures
}
