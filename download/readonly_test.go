package download_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func readOnlyByMode(t *testing.T, dir string) (undo func()) {
	t.Helper()
	permit := func(mode os.FileMode) {
		require.NoError(t, filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				return os.Chmod(name, mode)
			}
			return err
		}))
	}
	permit(0o555)
	undo = func() { permit(0o755) }
	t.Cleanup(undo)
	return undo
}
