package transport

import (
	"bufio"
	"net"
)

// tlsBuffer is how much is read at once below TLS, whose records have 16 KiB at most.
const tlsBuffer = 128 << 10

// buffered reads ahead of TLS.
type buffered struct {
	net.Conn
	r *bufio.Reader
}

func newBuffered(c net.Conn) *buffered {
	return &buffered{c, bufio.NewReaderSize(c, tlsBuffer)}
}

// Read implements net.Conn.
func (b *buffered) Read(p []byte) (int, error) { return b.r.Read(p) }
