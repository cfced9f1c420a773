package transport

import (
	"bufio"
	"encoding/binary"
	"net"
)

const (
	// tlsBuffer is how much is read at once below TLS, whose records have 16 KiB at most.
	tlsBuffer = 128 << 10
	// recordHead is the length of what comes before each record: its type, a version, and how
	// many bytes follow (RFC 8446, section 5.1).
	recordHead = 5
)

// records reads ahead of TLS, and gives it no more than the rest of a record at once: what
// crypto/tls has of the next one it moves to the beginning of its buffer, which costs as much as
// reading it.
type records struct {
	net.Conn
	r    *bufio.Reader
	left int // bytes of the record
}

func newRecords(c net.Conn) *records {
	return &records{Conn: c, r: bufio.NewReaderSize(c, tlsBuffer)}
}

// Read implements net.Conn.
func (c *records) Read(p []byte) (int, error) {
	if c.left == 0 {
		head, err := c.r.Peek(recordHead)
		if err != nil {
			n := copy(p, head)
			_, _ = c.r.Discard(n) // which are there
			return n, err
		}
		c.left = recordHead + int(binary.BigEndian.Uint16(head[recordHead-2:]))
	}
	n, err := c.r.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}
