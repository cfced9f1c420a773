package web_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/spinup-llm/spinup/download"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

// A download checks what the list says, in ranges and without.
func TestFetch(t *testing.T) {
	t.Parallel()
	data := bytes.Repeat([]byte("0123456789"), 300_000)
	d := goServer(t)
	d.put(t, "llama/weights", data)
	d.put(t, "llama/sub/empty", nil)
	d.put(t, "llama/SHA256SUMS", fmt.Appendf(nil, "%x  weights\n", sha256.Sum256(data)))
	dir := t.TempDir()
	m := &download.Manager{PartSize: 1 << 20}
	_, err := m.Fetch(t.Context(), open(t, d.url+"/llama", nil), dir)
	require.NoError(t, err)
	got, err := os.ReadFile(filepath.Join(dir, "weights"))
	require.NoError(t, err)
	require.True(t, bytes.Equal(data, got))
	require.FileExists(t, filepath.Join(dir, "sub", "empty"))

	d.put(t, "llama/SHA256SUMS", fmt.Appendf(nil, "%064x  weights\n", 1))
	_, err = m.Fetch(t.Context(), open(t, d.url+"/llama/SHA256SUMS", nil), t.TempDir())
	require.ErrorIs(t, err, lifecycle.Corrupt)
}

// Of a server that knows no ranges, a file is not begun anew for each range.
func TestNoRanges(t *testing.T) {
	t.Parallel()
	data := bytes.Repeat([]byte("0123456789"), 100_000)
	f := newFake(t)
	f.put(t, "llama/weights", data)
	var gets atomic.Int32
	f.before = func(_ http.ResponseWriter, r *http.Request) bool {
		r.Header.Del("Range")
		if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "weights") {
			gets.Add(1)
		}
		return false
	}
	src := open(t, f.url+"/llama/", nil)
	file := resolve(t, src).Files[0]
	for off := int64(0); off < file.Size; off += 1000 {
		body, err := src.Open(t.Context(), file, off, 1000)
		require.NoError(t, err)
		got, err := io.ReadAll(body)
		require.NoError(t, err)
		require.NoError(t, body.Close())
		require.NoError(t, body.Close(), "a second time does not end what waits")
		require.True(t, bytes.Equal(data[off:off+1000], got), "at %d", off)
	}
	require.EqualValues(t, 1, gets.Load())

	dir := t.TempDir()
	_, err := (&download.Manager{PartSize: 64 << 10}).Fetch(t.Context(), src, dir)
	require.NoError(t, err)
	got, err := os.ReadFile(filepath.Join(dir, "weights"))
	require.NoError(t, err)
	require.True(t, bytes.Equal(data, got))
}
