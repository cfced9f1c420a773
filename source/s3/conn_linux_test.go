package s3_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spinup-llm/spinup/internal/s3test"
	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
)

// trickling answers GETs in pieces of 1 KiB, a little apart.
func trickling(tb testing.TB, size int) *s3test.Fake {
	tb.Helper()
	fake := s3test.NewFake(tb)
	fake.Put("models", "llama/a", make([]byte, size))
	fake.Before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodGet || r.URL.Query().Has("list-type") {
			return false
		}
		w.Header().Set("Content-Length", strconv.Itoa(size))
		for left := size; left > 0; left -= 1024 {
			_, _ = w.Write(make([]byte, min(left, 1024)))
			_ = http.NewResponseController(w).Flush()
			select {
			case <-time.After(100 * time.Microsecond):
			case <-r.Context().Done():
				return true
			}
		}
		return true
	}
	return fake
}

// What a link brings in small pieces is read in few calls.
func TestReadsWaitForMuch(t *testing.T) {
	t.Parallel()
	const size = 512 << 10
	src := open(t, "s3://models/llama", trickling(t, size).Env())
	body, err := src.Open(t.Context(), source.File{Path: "a", Size: size}, 0, -1)
	require.NoError(t, err)
	defer body.Close()
	buf, total, calls := make([]byte, 256<<10), 0, 0
	for err == nil {
		var n int
		n, err = body.Read(buf)
		total, calls = total+n, calls+1
	}
	require.ErrorIs(t, err, io.EOF)
	require.Equal(t, size, total)
	require.Less(t, calls, 60, "512 pieces came")
}

// A connection that has waited for much is good for what is small, one that ends early
// does not wait, and neither does one that is given up.
func TestReadsEnd(t *testing.T) {
	t.Parallel()
	const size = 300 << 10
	fake := s3test.NewFake(t)
	fake.Put("models", "llama/a", make([]byte, size))
	fake.Put("models", "llama/b", []byte("small"))
	var conns atomic.Int32
	srv := httptest.NewUnstartedServer(fake)
	srv.Config.ConnState = connCounter(&conns)
	srv.Start()
	t.Cleanup(srv.Close)
	env := fake.Env()
	env["AWS_ENDPOINT_URL"] = srv.URL
	src := open(t, "s3://models/llama", env)
	for range 3 {
		require.Len(t, readLarge(t, src, source.File{Path: "a", Size: size}), size)
		require.Equal(t, "small", readAll(t, src, source.File{Path: "b", Size: 5}))
	}
	require.Equal(t, int32(1), conns.Load(), "one connection serves all")

	fake.Before = func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Content-Length", strconv.Itoa(size))
		_, _ = w.Write(make([]byte, 200<<10))
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	body, err := src.Open(t.Context(), source.File{Path: "a", Size: size}, 0, -1)
	require.NoError(t, err)
	n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{body}, make([]byte, 256<<10))
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.Equal(t, int64(200<<10), n)
	require.NoError(t, body.Close())
}

func readLarge(tb testing.TB, src source.Source, f source.File) []byte {
	tb.Helper()
	body, err := src.Open(tb.Context(), f, 0, -1)
	require.NoError(tb, err)
	defer body.Close()
	data := make([]byte, f.Size)
	_, err = io.ReadFull(body, data)
	require.NoError(tb, err)
	_, err = body.Read(make([]byte, 1))
	require.ErrorIs(tb, err, io.EOF)
	return data
}
