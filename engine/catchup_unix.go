//go:build unix

package engine

import (
	"errors"
	"io"
	"syscall"

	"golang.org/x/sys/unix"
)

// unread reports that something waits in a pipe; false where r is none.
func unread(r io.Reader) bool {
	conn, err := rawConn(r)
	if err != nil {
		return false
	}
	var seen int16
	err = conn.Control(func(fd uintptr) { seen = poll(fd) })
	return err == nil && seen&unix.POLLIN != 0
}

// awaitUnread returns nil when a read of r would not wait, and an error where that cannot be known.
func awaitUnread(r io.Reader) error {
	conn, err := rawConn(r)
	if err != nil {
		return err
	}
	return conn.Read(func(fd uintptr) bool { return poll(fd) != 0 })
}

func rawConn(r io.Reader) (syscall.RawConn, error) {
	pipe, ok := r.(syscall.Conn)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return pipe.SyscallConn()
}

// poll tells what there is to be read now, an end or an error included; 0 is nothing.
func poll(fd uintptr) int16 {
	look := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}} //nolint:gosec // a descriptor fits
	for {
		if _, err := unix.Poll(look, 0); err != unix.EINTR {
			return look[0].Revents
		}
	}
}
