package hub_test

import (
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// readOnly makes dir one that nobody can write to, until undo. Modes do not stop root, so
// for root it is mounted so.
func readOnly(t *testing.T, dir string) (undo func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		return readOnlyByMode(t, dir)
	}
	if err := syscall.Mount(dir, dir, "", syscall.MS_BIND, ""); err != nil {
		t.Skipf("needs the right to mount a file system: %v", err)
	}
	undo = func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) }
	t.Cleanup(undo)
	require.NoError(t, syscall.Mount("", dir, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
	return undo
}
