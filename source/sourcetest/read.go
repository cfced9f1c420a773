package sourcetest

import (
	"context"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

// noise returns n bytes that repeat nowhere.
func noise(n int) []byte {
	b := make([]byte, n+8)
	for i := 0; i < n; i += 4 {
		binary.LittleEndian.PutUint32(b[i:], uint32(i)*2654435761)
	}
	return b[:n]
}

func read(tb testing.TB, src source.Source, f source.File, off, n int64) []byte {
	tb.Helper()
	body, err := src.Open(tb.Context(), f, off, n)
	require.NoError(tb, err)
	data, err := io.ReadAll(body)
	require.NoError(tb, err)
	require.NoError(tb, body.Close())
	return data
}

// stored puts data and returns the file as it is listed.
func stored(tb testing.TB, repo Repo, path string, data []byte) (source.Source, source.File) {
	tb.Helper()
	repo.Put(tb, path, data)
	src := repo.Source(tb)
	f, ok := resolve(tb, src).File(path)
	require.True(tb, ok)
	return src, f
}

func testRanges(t *testing.T, h Harness) {
	t.Helper()
	const size = 100_000
	data := noise(size)
	src, f := stored(t, h.New(t), "a.bin", data)
	for _, c := range []struct{ off, n, want int64 }{
		{0, -1, size},
		{0, size, size},
		{0, 1, 1},
		{1, 1000, 1000},
		{size - 1, 1, 1},
		{50_000, -1, 50_000},
		{0, 0, 0},
		{70, 0, 0},
		{size, 0, 0},
		{size, -1, 0},
		{size, 10, 0},
		{size - 5, 10, 5},
		{0, 1 << 62, size},
	} {
		got := read(t, src, f, c.off, c.n)
		require.Equal(t, data[c.off:c.off+c.want], got, "[%d, +%d)", c.off, c.n)
	}
	src, f = stored(t, h.New(t), "empty", nil)
	require.Empty(t, read(t, src, f, 0, -1))
	require.Empty(t, read(t, src, f, 0, 5))
}

func testOutside(t *testing.T, h Harness) {
	t.Helper()
	src, f := stored(t, h.New(t), "a", noise(10))
	for _, off := range []int64{-1, 11, 1 << 62} {
		_, err := src.Open(t.Context(), f, off, 1)
		require.ErrorIs(t, err, lifecycle.Invalid)
	}
	for _, path := range []string{"../a", "/a", "", "a/../a", `..\a`} {
		evil := f
		evil.Path = path
		_, err := src.Open(t.Context(), evil, 0, -1)
		require.ErrorIs(t, err, lifecycle.Invalid, "%q", path)
	}
}

func testConcurrent(t *testing.T, h Harness) {
	t.Helper()
	const size = 1 << 20
	data := noise(size)
	src, f := stored(t, h.New(t), "a.bin", data)
	g, ctx := errgroup.WithContext(t.Context())
	for range 16 {
		g.Go(func() error {
			for range 5 {
				off, n := rand.Int64N(size), rand.Int64N(size/4) //nolint:gosec // no secret
				n = min(n, size-off)
				body, err := src.Open(ctx, f, off, n)
				if err != nil {
					return err
				}
				got, err := io.ReadAll(body)
				_ = body.Close()
				if err != nil {
					return err
				}
				require.Equal(t, data[off:off+n], got)
				if _, err := src.Resolve(ctx); err != nil {
					return err
				}
			}
			return nil
		})
	}
	require.NoError(t, g.Wait())
}

func testChanged(t *testing.T, h Harness) {
	t.Helper()
	repo := h.New(t)
	src, f := stored(t, repo, "a.bin", noise(1000))
	longer := noise(1001)
	repo.Put(t, "a.bin", longer)
	for _, off := range []int64{0, 500} {
		_, err := src.Open(t.Context(), f, off, -1)
		require.ErrorIs(t, err, lifecycle.Corrupt)
		requireHint(t, err)
	}
	again, ok := resolve(t, src).File("a.bin")
	require.True(t, ok)
	require.Equal(t, longer, read(t, src, again, 0, -1))
}

func testGone(t *testing.T, h Harness) {
	t.Helper()
	repo := h.New(t)
	repo.Put(t, "kept", noise(1))
	src, f := stored(t, repo, "a.bin", noise(1000))
	repo.Delete(t, "a.bin")
	_, err := src.Open(t.Context(), f, 0, -1)
	require.ErrorIs(t, err, lifecycle.MissingFile)
	requireHint(t, err)
	require.ErrorContains(t, err, "a.bin")
}

func testCanceled(t *testing.T, h Harness) {
	t.Helper()
	src, f := stored(t, h.New(t), "a", noise(10))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := src.Resolve(ctx)
	require.ErrorIs(t, err, lifecycle.Canceled)
	require.ErrorIs(t, err, context.Canceled)
	_, err = src.Open(ctx, f, 0, -1)
	require.ErrorIs(t, err, lifecycle.Canceled)
}

func testCanceledBody(t *testing.T, h Harness) {
	t.Helper()
	src, f := stored(t, h.New(t), "a.bin", noise(16<<20))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	body, err := src.Open(ctx, f, 0, -1)
	require.NoError(t, err)
	defer func() { _ = body.Close() }()
	_, err = io.ReadFull(body, make([]byte, 100))
	require.NoError(t, err)
	cancel()
	_, err = io.Copy(io.Discard, body)
	require.ErrorIs(t, err, lifecycle.Canceled)
}
