package transport

import (
	"cmp"
	"errors"
	"net"
	"os"
	"syscall"
	"time"
)

// A lowWater is a connection whose kernel wakes the reader of a body when as much has
// arrived as was asked for, at most lowWaterMax: on links that bring a little at a time
// this saves a third of the CPU time. HTTP/1.1 asks for so much only when so much is due, or
// until the connection ends, so that the wait ends; everything smaller, such as headers, is read
// as it comes, and so is what a slow link has brought within patience. Below TLS, records know
// what is due.
type lowWater struct {
	net.Conn
	raw  syscall.RawConn
	mark int // what the kernel was told
}

const (
	lowWaterMin = 128 << 10 // TLS through a proxy never asks for so much
	lowWaterMax = 256 << 10
	patience    = time.Second
)

// waiting makes c a lowWater where it is a socket.
func waiting(c net.Conn) net.Conn {
	s, ok := c.(syscall.Conn)
	if !ok {
		return c
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return c
	}
	return &lowWater{Conn: c, raw: raw, mark: 1}
}

// Read implements net.Conn.
func (c *lowWater) Read(p []byte) (int, error) {
	if len(p) < lowWaterMin {
		return c.await(p, 1)
	}
	return c.await(p, min(len(p), lowWaterMax))
}

// await reads when as much as mark has arrived, or what there is after a while.
func (c *lowWater) await(p []byte, mark int) (int, error) {
	if mark > 1 && c.set(mark) == nil {
		_ = c.SetReadDeadline(time.Now().Add(patience)) // HTTP/1.1 sets none for answers
		n, err := c.Conn.Read(p)
		_ = c.SetReadDeadline(time.Time{})
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
	}
	if err := c.set(1); err != nil {
		return 0, err // the wait could last for ever
	}
	return c.Conn.Read(p)
}

func (c *lowWater) set(mark int) error {
	if mark == c.mark {
		return nil
	}
	var err error
	controlErr := c.raw.Control(func(fd uintptr) {
		err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVLOWAT, mark)
	})
	if err = cmp.Or(controlErr, err); err == nil {
		c.mark = mark
	}
	return err
}
