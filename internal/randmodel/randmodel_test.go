package randmodel_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/spinup-llm/spinup/internal/randmodel"
	"github.com/stretchr/testify/require"
)

func TestWriteIsDeterministic(t *testing.T) {
	t.Parallel()
	a, b := t.TempDir(), t.TempDir()
	require.NoError(t, randmodel.Write(a, randmodel.Options{Shards: 3}))
	require.NoError(t, randmodel.Write(b, randmodel.Options{Shards: 3}))
	entries, err := os.ReadDir(a)
	require.NoError(t, err)
	require.Len(t, entries, 4+3+1)
	for _, e := range entries {
		x, err := os.ReadFile(filepath.Join(a, e.Name()))
		require.NoError(t, err)
		y, err := os.ReadFile(filepath.Join(b, e.Name()))
		require.NoError(t, err)
		require.Equal(t, x, y, e.Name())
	}
}
