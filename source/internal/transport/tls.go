package transport

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"net"
)

const (
	// tlsBuffer is how much is read at once below TLS.
	tlsBuffer = 128 << 10
	// recordMax is how many bytes a record carries at most.
	recordMax = 16 << 10
	// recordHead is the length of what comes before each record: its type, a version, and how
	// many bytes follow (RFC 8446, section 5.1).
	recordHead = 5
	// dataMin is larger than records of TLS's own, such as tickets and changes of keys.
	dataMin = 4 << 10
	// dueMin is what has to be due for a wait until it is there to be worth its system calls.
	dueMin = 64 << 10
)

// secure is TLS over records that know what they are read for.
type secure struct {
	*tls.Conn
	records *records
}

// Read implements net.Conn. TLS returns one record; what came with it is returned as well when so
// much is due, as HTTP above does much for each call.
func (c *secure) Read(p []byte) (int, error) {
	c.records.due = len(p)
	n, err := c.Conn.Read(p)
	for err == nil && len(p)-n >= recordMax && c.records.whole() {
		c.records.due = len(p) - n
		var more int
		more, err = c.Conn.Read(p[n:])
		n += more
	}
	return n, err
}

// records reads ahead of TLS, and gives it no more than the rest of a record at once: what
// crypto/tls has of the next one it moves to the beginning of its buffer, which costs as much as
// reading it. Heads come alone, so that what follows is not copied to a multiple of 16 bytes, to
// which Go copies slowly (see newBuffer of package download).
type records struct {
	net.Conn
	r    *bufio.Reader
	left int // bytes of the record
	due  int // bytes that the reader of TLS asks for: see lowWater
}

func newRecords(c net.Conn) *records {
	r := &records{Conn: waiting(c)}
	r.r = bufio.NewReaderSize(ahead{r}, tlsBuffer)
	return r
}

// Read implements net.Conn. TLS has room for more than a head.
func (c *records) Read(p []byte) (int, error) {
	if c.left == 0 {
		head, err := c.r.Peek(recordHead)
		if err != nil {
			n := copy(p, head)
			_, _ = c.r.Discard(n) // which are there
			return n, err
		}
		c.left = recordSize(head) - recordHead
		return c.r.Read(p[:recordHead])
	}
	n, err := c.r.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}

// whole reports whether the next record is there, and surely one of data: after another TLS would
// wait for what comes then.
func (c *records) whole() bool {
	if c.left > 0 || c.r.Buffered() < recordHead {
		return false
	}
	head, err := c.r.Peek(recordHead)
	return err == nil && recordSize(head) >= dataMin && c.r.Buffered() >= recordSize(head)
}

func recordSize(head []byte) int {
	return recordHead + int(binary.BigEndian.Uint16(head[recordHead-2:]))
}

// ahead reads what is not there yet.
type ahead struct{ *records }

// Read implements io.Reader. Of what is due TLS may have almost a record.
func (a ahead) Read(p []byte) (int, error) {
	c, ok := a.Conn.(interface {
		await(p []byte, mark int) (int, error)
	})
	if !ok {
		return a.Conn.Read(p)
	}
	mark := min(a.due-recordMax, len(p))
	if mark < dueMin {
		mark = 1
	}
	return c.await(p, mark)
}
