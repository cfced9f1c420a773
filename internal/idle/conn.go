package idle

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// A conn is what the server has: from an Accept to a Close, which may be the connection's
// parking.
type conn struct {
	*net.TCPConn
	lot   *Listener
	first []byte // read while it was parked
	size  int    // of the server's buffer: how much it asks for while it holds nothing
	idle  atomic.Bool
	state atomic.Int32
}

// States of a conn.
const (
	serving = iota
	parking // the server was told that the connection is over, and will close it
	parked  // it is another conn's now, or will be
)

// Read implements net.Conn. When the server waits for a request and nothing of one has come, it
// is told after a while that nothing will.
func (c *conn) Read(p []byte) (int, error) {
	if c.size == 0 {
		c.size = len(p) // of the first read
	}
	if len(c.first) > 0 {
		n := copy(p, c.first)
		c.first = c.first[n:]
		return n, nil
	}
	// A server that holds the beginning of a request has less room than at first.
	if len(p) < c.size || !c.idle.CompareAndSwap(true, false) {
		return c.TCPConn.Read(p)
	}
	_ = c.SetReadDeadline(time.Now().Add(quiet)) // what fails here fails in Read
	n, err := c.TCPConn.Read(p)
	if n == 0 && errors.Is(err, os.ErrDeadlineExceeded) {
		c.state.CompareAndSwap(serving, parking)
		return 0, err
	}
	_ = c.SetReadDeadline(time.Now().Add(c.lot.timeout)) // as the server had set it
	return n, err
}

// Close implements net.Conn. It may be called more than once.
func (c *conn) Close() error {
	if c.state.CompareAndSwap(parking, parked) {
		return c.lot.park(c.TCPConn)
	}
	if c.state.Load() == parked {
		return nil
	}
	return c.TCPConn.Close()
}
