package download_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/spinup-llm/spinup/download"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

// smallDisk mounts a file system of n bytes.
func smallDisk(t *testing.T, options string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		t.Skipf("needs the right to mount a file system: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, 0)) })
	return dir
}

func TestDiskIsFullUnderWay(t *testing.T) {
	t.Parallel()
	dir := smallDisk(t, "size=8m")
	src := newMemory(map[string][]byte{"weights": random(1, 5*mib)}, "sha256")
	ballast := filepath.Join(dir, "ballast")
	src.fault = func(c call) (io.ReadCloser, error) {
		if c.off == 0 {
			require.NoError(t, os.WriteFile(ballast, make([]byte, 6*mib), 0o644))
		}
		return nil, nil
	}
	m := &download.Manager{PartSize: mib, Budget: &download.Budget{Connections: 1}}
	_, err := m.Fetch(t.Context(), src, dir)
	require.ErrorIs(t, err, lifecycle.NoSpace)
	require.ErrorContains(t, err, "free in "+dir)
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.NotContains(t, visible(t, dir), "weights")

	require.NoError(t, os.Remove(ballast))
	src.fault = nil
	_, err = m.Fetch(t.Context(), src, dir)
	require.NoError(t, err, "what was allocated already counts as had")
	requireFiles(t, dir, src.data)
	require.LessOrEqual(t, src.served, int64(5*mib+256<<10))
}

func TestResumeOnADiskThatJustFits(t *testing.T) {
	t.Parallel()
	dir := smallDisk(t, "size=9m")
	src := newMemory(map[string][]byte{"weights": random(1, 8*mib)}, "")
	stop := errors.New("stop")
	src.fault = func(c call) (io.ReadCloser, error) {
		if c.off == 0 {
			return io.NopCloser(io.MultiReader(cutAfter(c.data, mib))), nil
		}
		return nil, &lifecycle.Error{Kind: lifecycle.AccessDenied, Err: stop}
	}
	m := &download.Manager{PartSize: 8 * mib}
	_, err := m.Fetch(t.Context(), src, dir)
	require.ErrorIs(t, err, stop)
	src.fault = nil
	_, err = m.Fetch(t.Context(), src, dir)
	require.NoError(t, err, "the space that the partial file takes is not asked for again")
	requireFiles(t, dir, src.data)
}
