package download_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spinup-llm/spinup/download"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// acquireLacking is a program for which file systems lack calls. It takes a model at url into a
// "store" or a "hub" cache, for four at once, and says where and with how many warnings; or it
// prunes one.
func acquireLacking(args ...string) {
	kind, url, dir := args[0], args[1], args[2]
	for _, lack := range args[3:] {
		call, errno, _ := strings.Cut(lack, "=")
		deny(call, map[string]unix.Errno{"ENOSYS": unix.ENOSYS, "ENOTSUP": unix.ENOTSUP, "ENOLCK": unix.ENOLCK, "EPERM": unix.EPERM, "EIO": unix.EIO}[errno])
	}
	switch kind {
	case "prune store":
		fmt.Println((&download.Cache{StoreDir: dir}).Prune(context.Background(), 1, 0))
		return
	case "prune hub":
		fmt.Println(download.PruneHub(context.Background(), dir, 1, 0))
		return
	}
	var src source.Source = listed(url)
	man := &src.(*web).man
	man.URI, man.Revision = "web://acme/tiny", commit
	if kind == "hub" {
		src = &hubbed{Source: src, cache: source.HubCache{Dir: filepath.Join(dir, "models--acme--tiny"), Ref: "main", Listing: []byte("{}")}}
	}
	var log bytes.Buffer
	m := &download.Manager{PartSize: mib, Logger: slog.New(slog.NewTextHandler(&log, nil))}
	var group errgroup.Group
	for range 4 {
		group.Go(func() error {
			lease, err := (&download.Cache{StoreDir: dir}).Acquire(context.Background(), m, src, man, nil, nil)
			if err != nil {
				return err
			}
			if kind == "store" { // Verify refuses links that lead out
				err = download.Verify(context.Background(), man, lease.Dir)
			}
			fmt.Println(lease.Dir, strings.Count(log.String(), "file system without locks"))
			return err
		})
	}
	if err := group.Wait(); err != nil {
		panic(err)
	}
}

// lacking runs that program and returns the folder of the model.
func lacking(t *testing.T, kind string, o *origin, dir string, lacks ...string) string {
	t.Helper()
	cmd := helper(t.Context(), "lacking", append([]string{kind, o.URL, dir}, lacks...)...)
	out, err := cmd.Output()
	require.NoError(t, err)
	lease, warnings, ok := strings.Cut(strings.Split(string(out), "\n")[0], " ")
	require.True(t, ok)
	if strings.HasPrefix(lacks[0], "flock") {
		require.Equal(t, "1", warnings)
	}
	return lease
}

var small = map[string][]byte{"config.json": []byte("{}"), "deep/tokenizer.json": random(1, 100_000), "weights": random(2, 5*mib+1)}

func size(files map[string][]byte) (n int64) {
	for _, data := range files {
		n += int64(len(data))
	}
	return n
}

func TestFileSystemWithoutLocks(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"hub", "store"} {
		for _, errno := range []string{"ENOSYS", "ENOTSUP", "ENOLCK"} {
			t.Run(kind+" "+errno, func(t *testing.T) {
				t.Parallel()
				o, dir := newOrigin(t, small, nil, "sha256"), t.TempDir()
				for range 2 {
					requireFiles(t, lacking(t, kind, o, dir, "flock="+errno), small)
				}
				require.Equal(t, size(small), o.sent.Load(), "one process fetches each byte once, and the next none")
				theirs, err := filepath.Glob(filepath.Join(dir, ".locks/models--acme--tiny/*.lock"))
				require.NoError(t, err)
				require.Empty(t, theirs, "tools that fall back on files as locks would wait for these")
				requireNothingAlone(t, dir)
			})
		}
	}
}

// Without locks processes do not write to each other's unfinished files.
func TestProcessesWithoutLocks(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"hub", "store"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			o, dir := newOrigin(t, small, nil, "sha256"), t.TempDir()
			var group sync.WaitGroup
			dirs := make([]string, 4)
			for i := range dirs {
				group.Go(func() { dirs[i] = lacking(t, kind, o, dir, "flock=ENOSYS") })
			}
			group.Wait()
			for _, lease := range dirs {
				requireFiles(t, lease, small)
			}
			requireNothingAlone(t, dir)
		})
	}
}

func requireNothingAlone(t *testing.T, dir string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		require.NotContains(t, path, ".alone")
		return err
	}))
}

// Without links a snapshot has the files themselves, or where there are no hard links either,
// copies that are made once.
func TestFileSystemWithoutSymbolicLinks(t *testing.T) {
	t.Parallel()
	for _, lacks := range [][]string{
		{"symlinkat=EPERM"}, {"symlinkat=ENOTSUP"}, {"symlinkat=ENOSYS"}, {"symlinkat=EPERM", "linkat=EPERM"},
	} {
		t.Run(strings.Join(lacks, " "), func(t *testing.T) {
			t.Parallel()
			o, dir := newOrigin(t, small, nil, "sha256"), t.TempDir()
			lease := lacking(t, "hub", o, dir, lacks...)
			requireFiles(t, lease, small)
			first, err := os.Lstat(filepath.Join(lease, "weights"))
			require.NoError(t, err)
			require.True(t, first.Mode().IsRegular())
			requireFile(t, dir, "models--acme--tiny/refs/main", []byte(commit))

			requireFiles(t, lacking(t, "hub", o, dir, lacks...), small)
			again, err := os.Lstat(filepath.Join(lease, "weights"))
			require.NoError(t, err)
			require.True(t, os.SameFile(first, again), "it is not copied again")
			require.Equal(t, size(small), o.sent.Load())
		})
	}
}

// A ref or a listing that is not on the disk gets no name: a power cut would leave it empty.
func TestRefsAndListingsAreOnTheDiskFirst(t *testing.T) {
	t.Parallel()
	o, dir := newOrigin(t, small, nil, "sha256"), t.TempDir()
	lease := lacking(t, "hub", o, dir, "linkat=EPERM")
	requireFiles(t, lease, small)
	for _, name := range []string{"refs/main", "trees/" + commit + ".json"} {
		path := filepath.Join(dir, "models--acme--tiny", name)
		require.NoError(t, os.Remove(path))
		cmd := helper(t.Context(), "lacking", "hub", o.URL, dir, "fsync=EIO")
		cmd.Stderr = nil
		require.Error(t, cmd.Run(), name)
		require.NoFileExists(t, path)
		left, err := filepath.Glob(filepath.Join(dir, "models--acme--tiny/blobs/.spinup/*.next"))
		require.NoError(t, err)
		require.Empty(t, left)
		require.Equal(t, lease, lacking(t, "hub", o, dir, "linkat=EPERM"))
		require.FileExists(t, path)
	}
}

// What a killed process kept to itself goes when it is old.
func TestAbandonedFoldersAreSwept(t *testing.T) {
	t.Parallel()
	o, dir := newOrigin(t, small, nil, "sha256"), t.TempDir()
	lease := lacking(t, "store", o, dir, "flock=ENOSYS")
	old, young := filepath.Join(lease, ".spinup/OLD.alone"), filepath.Join(lease, ".spinup/YOUNG.alone")
	for _, folder := range []string{old, young} {
		require.NoError(t, os.MkdirAll(folder, 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(folder, "x.partial"), nil, 0o600))
	}
	at := time.Now().Add(-8 * 24 * time.Hour)
	require.NoError(t, os.Chtimes(old, at, at))
	require.NoError(t, os.Remove(filepath.Join(lease, "config.json")))
	requireFiles(t, lacking(t, "store", o, dir, "flock=ENOSYS"), small)
	require.NoDirExists(t, old)
	require.DirExists(t, young)
}

// Where leases cannot be seen nothing is pruned.
func TestPruneWithoutLocks(t *testing.T) {
	t.Parallel()
	o, dir := newOrigin(t, small, nil, "sha256"), t.TempDir()
	for _, kind := range []string{"store", "hub"} {
		lease := lacking(t, kind, o, dir, "flock=ENOSYS")
		out, err := helper(t.Context(), "lacking", "prune "+kind, o.URL, dir, "flock=ENOSYS").Output()
		require.NoError(t, err)
		require.Contains(t, string(out), "invalid")
		require.Contains(t, string(out), "choose a directory whose file system has what is missing, as locks")
		requireFiles(t, lease, small)
	}
}

// An unfinished file of a process that had locks is left to those who have them.
func TestUnfinishedFilesAreLeftAloneWithoutLocks(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var partial atomic.Bool
	o := newOrigin(t, small, func(sent int64) {
		if sent > 4*mib && partial.CompareAndSwap(false, true) {
			cancel()
		}
	}, "sha256")
	dir := t.TempDir()
	src := listed(o.URL)
	src.man.URI, src.man.Revision = "web://acme/tiny", commit
	src.client.Transport.(*http.Transport).DisableKeepAlives = true // none is left to a server that has closed
	m := &download.Manager{PartSize: mib, Budget: &download.Budget{Connections: 1}}
	_, err := (&download.Cache{StoreDir: dir}).Acquire(ctx, m, src, nil, nil, nil)
	require.ErrorIs(t, err, lifecycle.Canceled)
	before := o.sent.Load()
	lease := lacking(t, "store", o, dir, "flock=ENOSYS")
	requireFiles(t, lease, small)
	require.LessOrEqual(t, o.sent.Load()-before, size(small)+mib, "no byte was taken for one that is there; some were under way")
	left, err := filepath.Glob(filepath.Join(lease, ".spinup/*.partial"))
	require.NoError(t, err)
	require.NotEmpty(t, left)
}
