package oci_test

import (
	"bytes"
	"io"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// Of a registry that knows no ranges any range is had, and all ranges of a blob together cost
// little more than its bytes.
func TestNoRanges(t *testing.T) {
	t.Parallel()
	const step = 1 << 20
	blob := bytes.Repeat([]byte(data), 8*step/len(data))
	var sent atomic.Int64
	src, f := first(t, fake(t, manifestOf(files{"a.bin": blob}), func(w http.ResponseWriter, _ *http.Request) {
		n, _ := w.Write(blob)
		sent.Add(int64(n))
	}), nil)
	read := func(off, n int64) []byte {
		body, err := src.Open(t.Context(), f, off, n)
		require.NoError(t, err)
		got, err := io.ReadAll(body)
		require.NoError(t, err)
		require.NoError(t, body.Close())
		return got
	}
	require.Equal(t, "234", string(read(12, 3)))
	var got []byte
	for off := int64(0); off < f.Size; off += step {
		got = append(got, read(off, min(step, f.Size-off))...)
	}
	require.Equal(t, blob, got)
	require.Less(t, sent.Load(), f.Size*3/2)
}
