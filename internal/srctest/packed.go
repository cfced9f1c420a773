package srctest

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
)

// Packed has the server compress what it answers to the requests of the kind, those for bytes,
// which nobody asked for: there is an error instead of wrong bytes, and where it was done once the
// model comes whole. The model has one file of ten bytes or so, which compressed are more.
func Packed(t *testing.T, c Case) {
	t.Helper()
	for name, length := range map[string]bool{"with a length": true, "without a length": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { c.packed(t, length) })
		})
	}
}

func (c Case) packed(t *testing.T, length bool) {
	t.Helper()
	srv := &packing{Case: c, length: length}
	src := c.Open(t, client(srv))
	man, err := src.Resolve(t.Context())
	require.NoError(t, err)
	f := man.Files[0]
	for _, n := range []int64{3, f.Size} {
		srv.left.Store(1)
		got, readErr := read(t.Context(), src, f, n)
		require.ErrorIs(t, readErr, lifecycle.Unavailable, "%q for %d bytes", got, n)
		require.Less(t, srv.left.Load(), int64(1), "there is no such request")
	}
	srv.left.Store(1)
	dir := t.TempDir()
	man, err = c.fetch(t.Context(), src, dir)
	require.NoError(t, err)
	requireFiles(t, man, dir)
	want, err := read(t.Context(), src, f, f.Size)
	require.NoError(t, err)
	got, err := os.ReadFile(filepath.Join(dir, f.Path)) //nolint:gosec // a file of the test
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func read(ctx context.Context, src source.Source, f source.File, n int64) ([]byte, error) {
	body, err := src.Open(ctx, f, 0, n)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(body)
	return data, errors.Join(err, body.Close())
}

// A packing server compresses some answers.
type packing struct {
	Case
	length bool
	left   atomic.Int64
}

// ServeHTTP implements http.Handler.
func (s *packing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.Is(r) || s.left.Add(-1) < 0 {
		s.Server.ServeHTTP(w, r)
		return
	}
	plain, packed := httptest.NewRecorder(), httptest.NewRecorder()
	s.Server.ServeHTTP(plain, r)
	z := gzip.NewWriter(packed)
	_, _ = z.Write(plain.Body.Bytes())
	_ = z.Close() // into memory
	h := w.Header()
	maps.Copy(h, plain.Header())
	h.Set("Content-Encoding", "gzip")
	h.Del("Content-Length")
	if s.length {
		h.Set("Content-Length", strconv.Itoa(packed.Body.Len()))
	}
	w.WriteHeader(plain.Code)
	_, _ = w.Write(packed.Body.Bytes())
}
