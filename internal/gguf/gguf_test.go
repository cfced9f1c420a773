package gguf_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"

	"github.com/spinup-llm/spinup/internal/gguf"
	"github.com/spinup-llm/spinup/internal/tinygguf"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

// tiny is the quickstart's model in GGUF.
func tiny(tb testing.TB) []byte {
	tb.Helper()
	file := filepath.Join(tb.TempDir(), "tiny.gguf")
	require.NoError(tb, tinygguf.Write(file, "../../examples/quickstart/model", nil))
	data, err := os.ReadFile(file)
	require.NoError(tb, err)
	return data
}

func read(data []byte) (*gguf.Header, error) {
	return gguf.Read(bytes.NewReader(data), int64(len(data)))
}

func TestRead(t *testing.T) {
	t.Parallel()
	data := tiny(t)
	h, err := read(data)
	require.NoError(t, err)
	require.Equal(t, uint32(3), h.Version)
	require.Equal(t, "llama", h.Architecture())
	require.Equal(t, uint64(1024), h.Uint("llama.context_length"))
	require.Equal(t, uint64(0), h.Uint("llama.nothing"))
	require.InEpsilon(t, 10000.0, h.Metadata["llama.rope.freq_base"], 1e-9)
	require.Contains(t, h.Metadata["tokenizer.chat_template"], "bos_token")
	require.Equal(t, 56, h.Tensors)
	require.Zero(t, h.Data%32)

	shorter, err := gguf.Read(bytes.NewReader(data[:h.Data]), int64(len(data)))
	require.NoError(t, err, "nothing is read beyond the header")
	require.Equal(t, h, shorter)
}

// Wherever a file is cut, that is found.
func TestReadTruncated(t *testing.T) {
	t.Parallel()
	data := tiny(t)
	for n := 4; n < len(data); n += 1 + len(data)/500 {
		_, err := read(data[:n])
		require.ErrorIs(t, err, gguf.ErrTruncated, n)
	}
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	good := tiny(t)
	with := func(at int, bytes ...byte) []byte {
		data := append([]byte(nil), good...)
		copy(data[at:], bytes)
		return data
	}
	for want, data := range map[string][]byte{
		"begins with":    []byte("<html></html>"),
		"LFS":            []byte("version https://git-lfs.github.com/spec/v1\n"),
		"before GGUF":    []byte("lmgg0000"),
		"version 1":      with(4, 1),
		"version 9":      with(4, 9),
		"big-endian":     with(4, 0, 0, 0, 3),
		"no model's":     with(8, 0, 0, 0, 9),
		"ends within":    good[:5],
		"a string of":    with(24, 0xff, 0xff, 0xff, 0x7f),
		"unknown type":   with(24+8+len("general.architecture"), 99),
		"is truncated: ": good[:len(good)-1],
	} {
		_, err := read(data)
		require.ErrorContains(t, err, want)
	}
}

// A few bytes that promise much do not cost much.
func TestReadAllocatesLittle(t *testing.T) {
	t.Parallel()
	b := append([]byte("GGUF"), 3, 0, 0, 0)
	b = binary.LittleEndian.AppendUint64(b, 1<<19)
	b = binary.LittleEndian.AppendUint64(b, 1<<19)
	b = binary.LittleEndian.AppendUint64(b, 16<<20)
	_, err := gguf.Read(bytes.NewReader(b), 1<<40)
	require.ErrorIs(t, err, gguf.ErrTruncated)
}

// Whatever comes, Read comes to an end, and accepts no tensors beyond the file.
func FuzzRead(f *testing.F) {
	good := tiny(f)
	f.Add(good[:60000])
	f.Add([]byte("GGUF\x03\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := read(data)
		if err != nil {
			return
		}
		require.True(t, h.Tensors == 0 || h.Data <= int64(len(data)))
		_, _ = h.Architecture(), h.Uint("split.count")
	})
}

// Where the reader fails, and says how, the file is not to blame.
func TestReadOfABrokenConnection(t *testing.T) {
	t.Parallel()
	data := tiny(t)
	cut := &lifecycle.Error{Op: "source.Read", Kind: lifecycle.Unavailable, Err: io.ErrUnexpectedEOF}
	for _, n := range []int{2, 20, 100, 30_000} {
		_, err := gguf.Read(io.MultiReader(bytes.NewReader(data[:n]), iotest.ErrReader(cut)), int64(len(data)))
		require.ErrorIs(t, err, cut)
		require.NotErrorIs(t, err, gguf.ErrTruncated)
	}
}
