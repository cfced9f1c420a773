package download_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gofrs/flock"
	"github.com/spinup-llm/spinup/download"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

// plan plans all files of src.
func plan(t *testing.T, m *download.Manager, src source.Source, dir string) *download.Plan {
	t.Helper()
	man, err := src.Resolve(t.Context())
	require.NoError(t, err)
	p, err := m.Plan(t.Context(), man, dir)
	require.NoError(t, err)
	return p
}

func TestBreakStopsAndKeepsWhatHasArrived(t *testing.T) {
	t.Parallel()
	for _, algorithm := range []string{"", "sha256", "crc64nvme"} {
		t.Run(algorithm, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) { // fails when a goroutine is left
				src := newMemory(map[string][]byte{"weights": random(1, 12*mib+3)}, algorithm)
				m := &download.Manager{Budget: &download.Budget{BytesPerSecond: 4 * mib, Connections: 3}, PartSize: 3 * mib}
				for rounds := 1; ; rounds++ {
					p := plan(t, m, src, dir)
					require.Equal(t, src.served, p.Reuse, "all that arrived is reused")
					if p.Fetch == 0 {
						require.Greater(t, rounds, 2)
						break
					}
					seen := 0
					for _, err := range m.Run(t.Context(), src, p) {
						require.NoError(t, err)
						if len(visible(t, dir)) > 0 {
							requireFiles(t, dir, src.data) // nothing half-done is visible
						}
						if seen++; seen == 8 {
							break
						}
					}
					require.LessOrEqual(t, src.served, int64(12*mib+3))
				}
				requireFiles(t, dir, src.data)
				require.Equal(t, int64(12*mib+3), src.served)
			})
		})
	}
}

func TestCancelThenResume(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	src := newMemory(map[string][]byte{"weights": random(1, 12*mib)}, "sha256")
	ctx, cancel := context.WithCancel(t.Context())
	src.fault = func(c call) (io.ReadCloser, error) {
		if c.off == 8*mib {
			cancel()
		}
		return nil, nil
	}
	m := &download.Manager{PartSize: 4 * mib, Budget: &download.Budget{Connections: 1}}
	_, err := m.Fetch(ctx, src, dir)
	require.ErrorIs(t, err, lifecycle.Canceled)
	require.Empty(t, visible(t, dir))

	_, err = m.Fetch(t.Context(), src, dir)
	require.NoError(t, err)
	requireFiles(t, dir, src.data)
	require.LessOrEqual(t, src.served, int64(12*mib)+256<<10)
}

func TestDeadlineIsTimeout(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		src := weights("sha256")
		_, err := (&download.Manager{Budget: &download.Budget{BytesPerSecond: mib}}).Fetch(ctx, src, dir)
		require.ErrorIs(t, err, lifecycle.Timeout)
	})
}

func TestAPlanMayBeRunAgain(t *testing.T) {
	t.Parallel()
	dir, src, m := t.TempDir(), weights("crc32c"), &download.Manager{PartSize: mib}
	p := plan(t, m, src, dir)
	for range 2 {
		var last download.Progress
		for progress, err := range m.Run(t.Context(), src, p) {
			require.NoError(t, err)
			last = progress
		}
		require.Equal(t, last.Files, last.FilesDone)
		require.Equal(t, last.Bytes, last.BytesDone)
	}
	require.Equal(t, p.Fetch, src.served)

	require.NoError(t, os.RemoveAll(dir))
	for _, err := range m.Run(t.Context(), src, p) {
		require.NoError(t, err)
	}
	requireFiles(t, dir, src.data)
}

func TestLimitIsShared(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		m := &download.Manager{Budget: &download.Budget{BytesPerSecond: mib}}
		start := time.Now()
		var group errgroup.Group
		for _, name := range []string{"a", "b"} {
			group.Go(func() error {
				src := newMemory(map[string][]byte{"weights": random(1, 5*mib)}, "")
				_, err := m.Fetch(t.Context(), src, filepath.Join(dir, name))
				return err
			})
		}
		require.NoError(t, group.Wait())
		require.InDelta(t, 10, time.Since(start).Seconds(), 1, "10 MiB at 1 MiB/s")
	})
}

func TestPacingIsNotStalling(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		src := newMemory(map[string][]byte{"weights": random(1, 500_000)}, "")
		_, err := (&download.Manager{Budget: &download.Budget{BytesPerSecond: 1000}}).Fetch(t.Context(), src, dir)
		require.NoError(t, err)
		require.Equal(t, 1, src.opens())
	})
}

func TestConnectionsAreShared(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	m := &download.Manager{Budget: &download.Budget{Connections: 3}, PartSize: 1 << 16}
	var open atomic.Int32
	var group errgroup.Group
	for _, name := range []string{"a", "b", "c"} {
		src := newMemory(map[string][]byte{"weights": random(1, 3*mib)}, "")
		src.fault = func(c call) (io.ReadCloser, error) {
			if open.Add(1) > 3 {
				return nil, &lifecycle.Error{Kind: lifecycle.Invalid, Target: "too many connections"}
			}
			return closing{strings.NewReader(string(c.data)), func() { open.Add(-1) }}, nil
		}
		group.Go(func() error {
			_, err := m.Fetch(t.Context(), src, filepath.Join(dir, name))
			return err
		})
	}
	require.NoError(t, group.Wait())
}

type closing struct {
	io.Reader
	close func()
}

func (c closing) Close() error {
	c.close()
	return nil
}

func TestProgress(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		src := newMemory(map[string][]byte{"a": random(1, 3*mib), "b": random(2, 2*mib)}, "crc32c")
		m := &download.Manager{Budget: &download.Budget{BytesPerSecond: mib, Connections: 2}, PartSize: mib}
		start := time.Now()
		var all []download.Progress
		for p, err := range m.Run(t.Context(), src, plan(t, m, src, dir)) {
			require.NoError(t, err)
			all = append(all, p)
		}
		require.LessOrEqual(t, len(all), int(time.Since(start).Seconds()*10)+1)
		require.Greater(t, len(all), 10)
		for i, p := range all {
			require.Equal(t, 2, p.Files)
			require.Equal(t, int64(5*mib), p.Bytes)
			require.LessOrEqual(t, len(p.Current), 2)
			if i > 0 {
				require.GreaterOrEqual(t, p.BytesDone, all[i-1].BytesDone)
			}
		}
		middle, last := all[len(all)/2], all[len(all)-1]
		require.NotEmpty(t, middle.Current)
		require.InDelta(t, mib, middle.Rate, mib/2)
		require.Equal(t, int64(5*mib), last.BytesDone)
		require.Equal(t, 2, last.FilesDone)
	})
}

func TestAnotherBootIsNotBelieved(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	src := newMemory(map[string][]byte{"weights": random(1, 8*mib)}, "crc64nvme")
	src.fault = func(c call) (io.ReadCloser, error) {
		if c.off >= 6*mib && c.try == 1 {
			return nil, &lifecycle.Error{Kind: lifecycle.AccessDenied}
		}
		return nil, nil
	}
	m := &download.Manager{PartSize: 2 * mib, Budget: &download.Budget{Connections: 1}}
	_, err := m.Fetch(t.Context(), src, dir)
	require.ErrorIs(t, err, lifecycle.AccessDenied)
	require.Equal(t, int64(6*mib), plan(t, m, src, dir).Reuse)

	// As after a power cut: the journal is there, a page of the file is not.
	partial := unfinished(t, dir)[0]
	journal := strings.TrimSuffix(partial, ".partial") + ".journal"
	lines, err := os.ReadFile(journal)
	require.NoError(t, err)
	header, rest, _ := strings.Cut(string(lines), "\n")
	before, _, ok := strings.Cut(header, `"boot":`)
	require.True(t, ok)
	require.NoError(t, os.WriteFile(journal, []byte(before+`"boot":"another"}`+"\n"+rest), 0o644))
	f, err := os.OpenFile(partial, os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteAt(make([]byte, 4096), 3*mib)
	require.NoError(t, err)
	require.NoError(t, f.Close())

	p := plan(t, m, src, dir)
	require.Equal(t, int64(4*mib), p.Reuse)
	lock := flock.New(filepath.Join(dir, ".spinup", "lock"))
	require.NoError(t, lock.Lock())
	snapshots, shown := 0, false
	for progress, err := range m.Run(t.Context(), src, p) {
		require.NoError(t, err)
		snapshots++
		require.Less(t, snapshots, 300)
		if progress.Waiting != "" && progress.BytesDone == 6*mib { // nothing is read to show what another process has
			shown = true
			require.NoError(t, lock.Unlock())
		}
	}
	require.True(t, shown)
	requireFiles(t, dir, src.data)
	require.Equal(t, int64(10*mib), src.served, "only the damaged part is fetched twice")
}

func TestDeadPartialsAreSwept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	state := filepath.Join(dir, ".spinup")
	require.NoError(t, os.MkdirAll(state, 0o755))
	for name, age := range map[string]time.Duration{
		"old.partial": 8 * 24 * time.Hour, "old.journal": 8 * 24 * time.Hour, "alone.journal": 0, "torn.journal.new": 0, "young.partial": time.Hour, "young.journal": 0,
	} {
		path := filepath.Join(state, name)
		require.NoError(t, os.WriteFile(path, nil, 0o644))
		require.NoError(t, os.Chtimes(path, time.Time{}, time.Now().Add(-age)))
	}
	_, err := new(download.Manager).Fetch(t.Context(), weights("sha256"), dir)
	require.NoError(t, err)
	left, err := filepath.Glob(filepath.Join(state, "*.*"))
	require.NoError(t, err)
	require.Len(t, left, 2)
	for _, name := range left {
		require.Contains(t, name, "young.")
	}
}

// A kill between the last file's name and the end of its journal leaves that beside what is complete.
func TestAJournalThatOutlivedItsFileIsSwept(t *testing.T) {
	t.Parallel()
	m, src, dir := interrupted(t, "sha256", 3)
	journal := strings.TrimSuffix(unfinished(t, dir)[0], ".partial") + ".journal"
	lines, err := os.ReadFile(journal)
	require.NoError(t, err)
	_, err = m.Fetch(t.Context(), src, dir)
	require.NoError(t, err)
	require.NoFileExists(t, journal)
	opens := src.opens()

	require.NoError(t, os.WriteFile(journal, lines, 0o600))
	_, err = m.Fetch(t.Context(), src, dir)
	require.NoError(t, err)
	require.NoFileExists(t, journal)
	require.Equal(t, opens, src.opens())
	requireFiles(t, dir, src.data)
}

func TestThousandsOfSmallFiles(t *testing.T) {
	t.Parallel()
	files := map[string][]byte{}
	for i := range 1000 {
		files[strings.Repeat("d/", i%3)+string(rune('a'+i%26))+time.Duration(i).String()] = random(byte(i), i)
	}
	dir, src := t.TempDir(), newMemory(files, "git-sha1")
	_, err := new(download.Manager).Fetch(t.Context(), src, dir)
	require.NoError(t, err)
	requireFiles(t, dir, files)
	entries, err := os.ReadDir(filepath.Join(dir, ".spinup"))
	require.NoError(t, err)
	require.Len(t, entries, 2, "the lock and the list of verified files")
}
