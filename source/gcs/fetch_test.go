package gcs_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/spinup-llm/spinup/download"
	"github.com/spinup-llm/spinup/internal/gcstest"
	"github.com/stretchr/testify/require"
)

// A download combines the CRC32C of the object from those of its ranges.
func TestFetch(t *testing.T) {
	t.Parallel()
	data := make([]byte, 5<<20+7)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range data {
		data[i] = byte(random.Uint32())
	}
	fake := gcstest.NewFake(t)
	fake.Put("models", "llama/weights", data)
	fake.Put("models", "llama/sub/empty", nil)
	dir := t.TempDir()
	m := &download.Manager{PartSize: 1 << 20}
	_, err := m.Fetch(t.Context(), open(t, "gs://models/llama", fake.Env()), dir)
	require.NoError(t, err)
	got, err := os.ReadFile(filepath.Join(dir, "weights"))
	require.NoError(t, err)
	require.True(t, bytes.Equal(data, got))
	require.FileExists(t, filepath.Join(dir, "sub", "empty"))
	require.Greater(t, len(fake.Requests()), 5, "in ranges")
}
