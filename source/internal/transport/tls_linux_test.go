package transport

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What a link brings in small records is read in few calls when much is due.
func TestTLSWaitsForMuch(t *testing.T) {
	t.Parallel()
	const pieces = 512
	piece := append([]byte{23, 3, 3, 4, 0}, make([]byte, 1<<10)...)
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		to, failed := listener.Accept()
		for i := 0; i < pieces && failed == nil; i++ {
			_, failed = to.Write(piece)
			time.Sleep(100 * time.Microsecond)
		}
		if to != nil {
			_ = to.Close()
		}
	}()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	below := newRecords(conn)
	below.due = pieces * len(piece)
	buf, total, calls := make([]byte, len(piece)), 0, 0
	for err == nil {
		if below.r.Buffered() == 0 {
			calls++
		}
		var n int
		n, err = below.Read(buf)
		total += n
	}
	require.ErrorIs(t, err, io.EOF)
	require.Equal(t, pieces*len(piece), total)
	require.Less(t, calls, 256, "512 records came")
}
