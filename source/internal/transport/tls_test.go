package transport

import (
	"bytes"
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

type wire struct {
	net.Conn
	*bytes.Reader
}

func (w wire) Read(p []byte) (int, error) { return w.Reader.Read(p) }

func TestTLSGetsOneRecordAtOnce(t *testing.T) {
	t.Parallel()

	record := func(size int) []byte {
		return append([]byte{23, 3, 3, byte(size >> 8), byte(size)}, make([]byte, size)...)
	}
	small, empty, large := record(3), record(0), record(16<<10+256)
	sent := bytes.Join([][]byte{small, empty, large, large[:recordHead+1], small[:recordHead-1]}, nil)
	for _, cut := range []struct {
		lost int
		ends []int // of what each read returns
	}{
		{0, []int{8, 5, recordHead + 16<<10 + 256, recordHead + 1 + recordHead - 1}}, // in a record
		{2 * recordHead, []int{8, 5, recordHead + 16<<10 + 256}},                     // between records
		{recordHead + 2, []int{8, 5, recordHead + 16<<10 + 256, recordHead - 2}},     // in a head
	} {
		conn := newRecords(wire{Reader: bytes.NewReader(sent[:len(sent)-cut.lost])})
		var got []byte
		var reads []int
		buf := make([]byte, len(sent))
		n, err := conn.Read(buf)
		for ; n > 0; n, err = conn.Read(buf) {
			got, reads = append(got, buf[:n]...), append(reads, n)
		}
		require.ErrorIs(t, err, io.EOF)
		require.Equal(t, cut.ends, reads)
		require.Equal(t, sent[:len(sent)-cut.lost], got)
	}
}
