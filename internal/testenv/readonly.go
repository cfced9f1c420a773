package testenv

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func readOnlyByMode(tb testing.TB, dir string) (undo func()) {
	tb.Helper()
	permit := func(mode os.FileMode) {
		require.NoError(tb, filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				return os.Chmod(name, mode) //nolint:gosec // a folder of the test alone
			}
			return err
		}))
	}
	permit(0o555)
	undo = func() { permit(0o755) }
	tb.Cleanup(undo)
	return undo
}
