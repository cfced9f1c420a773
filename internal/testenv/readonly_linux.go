package testenv

import (
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// ReadOnly makes dir one that nobody can write to, until undo. Modes do not stop root, so
// for root it is mounted so.
func ReadOnly(tb testing.TB, dir string) (undo func()) {
	tb.Helper()
	if os.Geteuid() != 0 {
		return readOnlyByMode(tb, dir)
	}
	if err := syscall.Mount(dir, dir, "", syscall.MS_BIND, ""); err != nil {
		tb.Skipf("needs the right to mount a file system: %v", err)
	}
	undo = func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) }
	tb.Cleanup(undo)
	require.NoError(tb, syscall.Mount("", dir, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
	return undo
}
