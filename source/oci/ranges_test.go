package oci_test

import (
	"bytes"
	"io"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
)

// Of a registry that knows no ranges any range is had, and all ranges of a blob together cost
// little more than its bytes.
func TestNoRanges(t *testing.T) {
	t.Parallel()
	const step = 1 << 20
	blob := bytes.Repeat([]byte(data), 8*step/len(data))
	var sent atomic.Int64
	addr := fake(t, manifestOf(files{"a.bin": blob}), func(w http.ResponseWriter, _ *http.Request) {
		n, _ := w.Write(blob)
		sent.Add(int64(n))
	})
	src, f := first(t, addr, nil)
	var got []byte
	for off := int64(0); off < f.Size; off += step {
		got = append(got, read(t, src, f, off, min(step, f.Size-off))...)
	}
	require.Equal(t, blob, got)
	require.Less(t, sent.Load(), f.Size*3/2)
	require.Equal(t, "234", string(read(t, src, f, 12, 3)))
	require.Equal(t, blob[15:], read(t, src, f, 15, -1), "what is left of that answer, which would wait for long")
}

func read(t *testing.T, src source.Source, f source.File, off, n int64) []byte {
	t.Helper()
	body, err := src.Open(t.Context(), f, off, n)
	require.NoError(t, err)
	got, err := io.ReadAll(body)
	require.NoError(t, err)
	require.NoError(t, body.Close())
	return got
}
