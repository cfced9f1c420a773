package transport_test

import (
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spinup-llm/spinup/source/internal/transport"
	"github.com/stretchr/testify/require"
)

const kib = 1 << 10

// What a link brings in small pieces is read in few calls.
func TestReadsWaitForMuch(t *testing.T) {
	t.Parallel()
	const size = 512 * kib
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(size))
		for left := size; left > 0; left -= kib {
			_, _ = w.Write(make([]byte, kib))
			_ = http.NewResponseController(w).Flush()
			select {
			case <-time.After(100 * time.Microsecond):
			case <-r.Context().Done():
				return
			}
		}
	}))
	t.Cleanup(srv.Close)
	body := get(t, &http.Client{Transport: transport.New(nil)}, srv.URL)
	defer body.Close()
	buf, total, calls, err := make([]byte, 256*kib), 0, 0, error(nil)
	for err == nil {
		var n int
		n, err = body.Read(buf)
		total, calls = total+n, calls+1
	}
	require.ErrorIs(t, err, io.EOF)
	require.Equal(t, size, total)
	require.Less(t, calls, 256, "512 pieces came; the last 128 KiB are read as they come")
}

// A connection that has waited for much is good for what is small, and one that ends early
// does not wait.
func TestReadsEnd(t *testing.T) {
	t.Parallel()
	var conns atomic.Int32
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.URL.Query().Get("n"))
		w.Header().Set("Content-Length", strconv.Itoa(n))
		cut, _ := strconv.Atoi(r.URL.Query().Get("cut"))
		_, _ = io.WriteString(w, strings.Repeat("x", n-cut))
	}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			conns.Add(1)
		}
	}
	srv.Start()
	t.Cleanup(srv.Close)
	client := &http.Client{Transport: transport.New(nil)}
	read := func(query string) (int, error) {
		body := get(t, client, srv.URL+query)
		defer body.Close()
		n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{body}, make([]byte, 256*kib))
		return int(n), err
	}
	for range 3 {
		for _, n := range []int{300 * kib, 5} {
			got, err := read("?n=" + strconv.Itoa(n))
			require.NoError(t, err)
			require.Equal(t, n, got)
		}
	}
	require.Equal(t, int32(1), conns.Load(), "one connection serves all")
	n, err := read("?n=307200&cut=102400")
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.Equal(t, 200*kib, n)
}

// TLS has records of 16 KiB; below it more is read at once, and nothing but HTTP/1.1 is spoken.
func TestTLS(t *testing.T) {
	t.Parallel()
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Proto+strings.Repeat("x", 300*kib))
	}))
	srv.EnableHTTP2 = true
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	body := get(t, &http.Client{Transport: transport.New(roots)}, srv.URL)
	defer body.Close()
	data, err := io.ReadAll(body)
	require.NoError(t, err)
	require.Equal(t, "HTTP/1.1"+strings.Repeat("x", 300*kib), string(data))

	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL, http.NoBody)
	require.NoError(t, err)
	res, err := transport.New(nil).RoundTrip(req)
	if err == nil {
		_ = res.Body.Close()
	}
	require.ErrorContains(t, err, "certificate")
}

func get(tb testing.TB, client *http.Client, url string) io.ReadCloser {
	tb.Helper()
	tb.Cleanup(client.CloseIdleConnections)
	req, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, url, http.NoBody)
	require.NoError(tb, err)
	res, err := client.Do(req)
	require.NoError(tb, err)
	return res.Body
}
