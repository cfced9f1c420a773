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
	first []byte      // read while it was parked
	size  int         // of the server's buffer: how much it asks for while it holds nothing
	idle  atomic.Bool // the server is told of no request; its next read deadline is for the wait
	waits atomic.Bool // for the first byte of a request
	state atomic.Int32
}

// States of a conn.
const (
	serving = iota
	parking // the server was told that the connection is over, and will close it
	parked  // it is another conn's now, or will be
)

// SetReadDeadline implements net.Conn. The first one that a server sets when it is idle is for
// the wait for a request, the next one for the request's header.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.waits.Store(c.idle.Swap(false))
	return c.TCPConn.SetReadDeadline(t)
}

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
	if len(p) < c.size || !c.waits.CompareAndSwap(true, false) {
		return c.TCPConn.Read(p)
	}
	_ = c.TCPConn.SetReadDeadline(time.Now().Add(quiet)) // what fails here fails in Read
	n, err := c.TCPConn.Read(p)
	if n == 0 && errors.Is(err, os.ErrDeadlineExceeded) {
		c.state.CompareAndSwap(serving, parking)
		return 0, err
	}
	_ = c.TCPConn.SetReadDeadline(time.Now().Add(c.lot.timeout)) // as the server had set it
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
