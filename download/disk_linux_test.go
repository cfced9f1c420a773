package download_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/spinup-llm/spinup/download"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
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

func TestDiskWithoutALimit(t *testing.T) {
	t.Parallel()
	dir, src := smallDisk(t, "size=0"), weights("sha256")
	_, err := new(download.Manager).Fetch(t.Context(), src, dir)
	require.NoError(t, err)
	requireFiles(t, dir, src.data)
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

// Of two downloads that fit the disk alone, but not together, the second is refused before
// its first byte; once the first has ended, it may.
func TestSpaceIsSetAside(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	var disk syscall.Statfs_t
	require.NoError(t, syscall.Statfs(base, &disk))
	size := int64(disk.Bavail) * disk.Bsize / 10 * 7

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	budget := new(download.Budget)
	begun := make(chan struct{})
	first := newMemory(map[string][]byte{"weights": nil}, "")
	first.files = []source.File{{Path: "weights", Size: size, Version: "1"}}
	first.fault = func(c call) (io.ReadCloser, error) {
		if c.off == 0 {
			close(begun)
		}
		return hanging{c.ctx}, nil
	}
	ended := make(chan error, 1)
	go func() {
		_, err := (&download.Manager{Budget: budget, PartSize: mib}).Fetch(ctx, first, filepath.Join(base, "first"))
		ended <- err
	}()
	<-begun

	second := newMemory(nil, "")
	second.files = first.files
	m := &download.Manager{Budget: budget, PartSize: mib}
	_, err := m.Fetch(t.Context(), second, filepath.Join(base, "second"))
	require.ErrorIs(t, err, lifecycle.NoSpace)
	require.ErrorContains(t, err, "of which other downloads need")
	require.Zero(t, second.opens())
	require.NoDirExists(t, filepath.Join(base, "second"))

	stop()
	require.ErrorIs(t, <-ended, lifecycle.Canceled)
	require.Equal(t, size, plan(t, m, second, filepath.Join(base, "second")).Fetch)
}
