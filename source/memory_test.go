package source_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"io"
	"testing"

	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
)

// memory is a Source of files that a test wrote down.
type memory map[string]string

func (m memory) Resolve(context.Context) (*source.Manifest, error) {
	var files []source.File
	for path, data := range m {
		files = append(files, source.File{Path: path, Size: int64(len(data))})
	}
	return source.NewManifest("mem://model", "", files)
}

func (m memory) Open(ctx context.Context, f source.File, off, n int64) (io.ReadCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	n, err := f.Clip(off, n)
	if err != nil {
		return nil, err
	}
	return io.NopCloser(bytes.NewReader([]byte(m[f.Path])[off : off+n])), nil
}

func (m memory) manifest(tb testing.TB) *source.Manifest {
	tb.Helper()
	man, err := m.Resolve(tb.Context())
	require.NoError(tb, err)
	return man
}

// shard returns a safetensors file with one tensor of n bytes.
func shard(tb testing.TB, name string, n int) string {
	tb.Helper()
	header, err := json.Marshal(map[string]any{
		name: map[string]any{"dtype": "U8", "shape": []int{n}, "data_offsets": []int{0, n}},
	})
	require.NoError(tb, err)
	out := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return string(append(append(out, header...), make([]byte, n)...))
}
