//go:build linux

package dataset_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/spinup-llm/spinup/internal/bench/download/dataset"
	"github.com/stretchr/testify/require"
)

func TestSetsHaveTheirSizes(t *testing.T) {
	t.Parallel()
	model, small, one := dataset.Model(1), dataset.Small(1), dataset.One(1)
	require.Len(t, model.Files, 44)
	require.InDelta(t, 2.157e9, model.Size(), 1e6)
	require.Len(t, small.Files, 2000)
	require.EqualValues(t, 4<<30, one.Size())
	require.Equal(t, "4 × 8 MiB and 40 small files", dataset.Model(1.0/64).Text)
}

func TestCheckSeesOneFlippedBit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	set := dataset.Model(1.0 / 2048)
	require.NoError(t, dataset.Make(t.Context(), dir, set))
	require.NoError(t, set.Check(set.Dir))

	again := dataset.Model(1.0 / 2048)
	require.NoError(t, dataset.Make(t.Context(), dir, again))
	require.Equal(t, set, again, "what is there is known again")

	path := filepath.Join(set.Dir, set.Files[0].Path)
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	data[len(data)/2] ^= 1
	require.NoError(t, os.WriteFile(path, data, 0o600))
	require.ErrorContains(t, set.Check(set.Dir), "other bytes")
	require.NoError(t, os.WriteFile(path, data[1:], 0o600))
	require.ErrorContains(t, set.Check(set.Dir), "bytes, not")
	require.NoError(t, os.Remove(path))
	require.ErrorIs(t, set.Check(set.Dir), os.ErrNotExist)
}
