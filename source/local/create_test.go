package local_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/source/local"
	"github.com/stretchr/testify/require"
)

func TestCreateFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	to := open(t, dir).(source.Creator)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o600))
	err := to.Create(t.Context(), source.File{Path: "file/f"}, strings.NewReader(""))
	require.ErrorIs(t, err, lifecycle.Unavailable)
	require.ErrorContains(t, err, "not a directory")
}

// Without links, too, a file gets a name that nobody has, and no other.
func TestRenames(t *testing.T) {
	t.Parallel()
	for name, rename := range local.Renames {
		dir := t.TempDir()
		part, to := filepath.Join(dir, "part"), filepath.Join(dir, "name")
		require.NoError(t, os.WriteFile(part, []byte("data"), 0o600))
		require.NoError(t, rename(part, to), name)
		require.NoFileExists(t, part)
		require.NoError(t, os.WriteFile(part, []byte("other"), 0o600))
		require.ErrorIs(t, rename(part, to), fs.ErrExist, name)
		data, err := os.ReadFile(to)
		require.NoError(t, err)
		require.Equal(t, "data", string(data))
		require.Error(t, rename(filepath.Join(dir, "gone"), to+"2"))
		require.NoFileExists(t, to+"2", "nothing empty stays")
	}
}
