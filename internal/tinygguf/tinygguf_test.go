package tinygguf_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/spinup-llm/spinup/internal/gguf"
	"github.com/spinup-llm/spinup/internal/tinygguf"
	"github.com/stretchr/testify/require"
)

const model = "../../examples/quickstart/model"

func TestWriteIsDeterministic(t *testing.T) {
	t.Parallel()
	var files [2][]byte
	for i := range files {
		file := filepath.Join(t.TempDir(), "m.gguf")
		require.NoError(t, tinygguf.Write(file, model, nil))
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		files[i] = data
	}
	require.Equal(t, files[0], files[1])
}

func TestShards(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, tinygguf.Write(filepath.Join(dir, "m.gguf"), model, &tinygguf.Options{Shards: 3}))
	tensors := 0
	for i, name := range []string{"m-00001-of-00003.gguf", "m-00002-of-00003.gguf", "m-00003-of-00003.gguf"} {
		f, err := os.Open(filepath.Join(dir, name))
		require.NoError(t, err)
		info, err := f.Stat()
		require.NoError(t, err)
		h, err := gguf.Read(f, info.Size())
		require.NoError(t, err)
		require.NoError(t, f.Close())
		require.Equal(t, uint64(i), h.Uint("split.no"))
		require.Equal(t, uint64(3), h.Uint("split.count"))
		tensors += h.Tensors
	}
	require.Equal(t, 56, tensors)
}
