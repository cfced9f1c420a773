//go:build unix

package engine

import (
	"io"
	"syscall"

	"golang.org/x/sys/unix"
)

// unread reports that something waits in a pipe; false where r is none.
func unread(r io.Reader) bool {
	pipe, ok := r.(syscall.Conn)
	if !ok {
		return false
	}
	conn, err := pipe.SyscallConn()
	if err != nil {
		return false
	}
	look := []unix.PollFd{{Events: unix.POLLIN}}
	err = conn.Control(func(fd uintptr) {
		look[0].Fd = int32(fd) //nolint:gosec // a descriptor fits
		_, _ = unix.Poll(look, 0)
	})
	return err == nil && look[0].Revents&unix.POLLIN != 0
}
