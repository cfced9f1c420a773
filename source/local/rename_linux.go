package local

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// renameNew renames a file where there is none of that name, or fails with fs.ErrExist.
func renameNew(from, to string) error {
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		return claim(from, to) // FUSE, where the daemon does not know the flag
	}
	return err
}
