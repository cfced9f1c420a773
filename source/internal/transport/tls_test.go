package transport

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

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
		{0, []int{5, 3, 5, 5, 16<<10 + 256, 5, recordHead}},               // in a record
		{2 * recordHead, []int{5, 3, 5, 5, 16<<10 + 256}},                 // between records
		{recordHead + 2, []int{5, 3, 5, 5, 16<<10 + 256, recordHead - 2}}, // in a head
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

// A measured connection brings bytes in pieces that end nowhere in particular.
type measured struct {
	net.Conn
	total int
	ends  []int // what has to have come before each wait ends
	most  int   // that was waited for
}

func (c *measured) await(p []byte, mark int) (int, error) {
	c.ends = append(c.ends, c.total+mark)
	c.most = max(c.most, mark)
	n, err := io.ReadAtLeast(c.Conn, p[:max(mark, min(len(p), 50_001))], mark)
	c.total += n
	return n, err
}

// TLS waits for no more than will come, and returns together what came together.
func TestTLSWaitsForWhatIsDue(t *testing.T) {
	t.Parallel()
	const size, each = 4 << 20, 256 << 10
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(size))
		_, _ = w.Write(make([]byte, size))
	}))
	t.Cleanup(srv.Close)
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", srv.Listener.Addr().String())
	require.NoError(t, err)
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second))) // a wait for too much ends
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	link := &measured{Conn: conn}
	below := newRecords(link)
	client := &secure{tls.Client(below, &tls.Config{RootCAs: roots, ServerName: "example.com", MinVersion: tls.VersionTLS13}), below}
	t.Cleanup(func() { _ = client.Close() })
	_, err = io.WriteString(client, "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n")
	require.NoError(t, err)
	res, err := http.ReadResponse(bufio.NewReader(client), nil)
	require.NoError(t, err)
	defer res.Body.Close()
	buf, got, calls := make([]byte, each), 0, 0
	for err == nil {
		var n int
		n, err = res.Body.Read(buf)
		got, calls = got+n, calls+1
	}
	require.ErrorIs(t, err, io.EOF)
	require.Equal(t, size, got)
	require.GreaterOrEqual(t, link.most, dueMin)
	require.Less(t, calls, size/recordMax*3/4, "fewer than records")
	for _, end := range link.ends {
		require.LessOrEqual(t, end, link.total)
	}
}
