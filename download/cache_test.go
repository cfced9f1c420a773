package download_test

import (
	"bufio"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spinup-llm/spinup/download"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

func acquire(t *testing.T, c *download.Cache, src source.Source) *download.Lease {
	t.Helper()
	lease, err := c.Acquire(t.Context(), new(download.Manager), src, nil, nil, nil)
	require.NoError(t, err)
	t.Cleanup(func() { lease.Close() })
	return lease
}

func TestASecondStartNeedsNoRequest(t *testing.T) {
	t.Parallel()
	src, c := newMemory(model(), "sha256"), &download.Cache{StoreDir: t.TempDir()}
	var last download.Progress
	report := func(p download.Progress) { last = p }
	lease, err := c.Acquire(t.Context(), nil, src, nil, nil, report)
	require.NoError(t, err)
	requireFiles(t, lease.Dir, src.data)
	require.True(t, filepath.IsAbs(lease.Dir))
	require.Equal(t, last.Bytes, last.BytesDone)
	require.NoError(t, lease.Close())
	require.NoError(t, lease.Close())

	opens := src.opens()
	again, err := c.Acquire(t.Context(), nil, src, lease.Manifest, nil, report)
	require.NoError(t, err)
	require.Equal(t, lease.Dir, again.Dir)
	require.Equal(t, opens, src.opens())
	require.Equal(t, len(src.files), last.FilesDone)
	require.NoError(t, again.Close())
}

func TestOnlyWhatIsKept(t *testing.T) {
	t.Parallel()
	src, c := newMemory(model(), "crc32c"), &download.Cache{StoreDir: t.TempDir()}
	light := func(f source.File) bool { return !strings.HasSuffix(f.Path, ".safetensors") }
	lease, err := c.Acquire(t.Context(), nil, src, nil, light, nil)
	require.NoError(t, err)
	defer lease.Close()
	require.NoFileExists(t, filepath.Join(lease.Dir, "model-00001.safetensors"))
	for _, f := range lease.Manifest.Files {
		require.True(t, light(f))
	}
	// The rest comes beside it, while the first lease is held.
	requireFiles(t, acquire(t, c, src).Dir, src.data)
	man, err := src.Resolve(t.Context())
	require.NoError(t, err)
	require.Equal(t, man.Size(), src.served)
}

func TestADamagedFileIsRepaired(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(t *testing.T, path string){
		"truncated": func(t *testing.T, path string) {
			t.Helper()
			require.NoError(t, os.Truncate(path, 100))
		},
		"removed": func(t *testing.T, path string) {
			t.Helper()
			require.NoError(t, os.Remove(path))
		},
		"other bytes": func(t *testing.T, path string) {
			t.Helper()
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			require.NoError(t, err)
			_, err = f.WriteAt([]byte("damage"), mib)
			require.NoError(t, err)
			require.NoError(t, f.Close())
			now := time.Now().Add(time.Second)
			require.NoError(t, os.Chtimes(path, now, now))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			src, c := newMemory(model(), "sha256"), &download.Cache{StoreDir: t.TempDir()}
			dir := acquire(t, c, src).Dir
			served := src.served
			path := filepath.Join(dir, "model-00002.safetensors")
			damage(t, path)
			requireFiles(t, acquire(t, c, src).Dir, src.data)
			require.Equal(t, int64(5*mib), src.served-served, "nothing but the damaged file is fetched")
		})
	}
}

func TestATouchedFileIsHashedAndNotFetched(t *testing.T) {
	t.Parallel()
	src, c := newMemory(model(), "sha256"), &download.Cache{StoreDir: t.TempDir()}
	dir := acquire(t, c, src).Dir
	opens := src.opens()
	path := filepath.Join(dir, "model-00002.safetensors")
	require.NoError(t, os.Chtimes(path, time.Unix(1, 0), time.Unix(1, 0)))
	acquire(t, c, src)
	require.Equal(t, opens, src.opens())
	before, err := os.ReadFile(filepath.Join(dir, ".spinup", "verified"))
	require.NoError(t, err)
	acquire(t, c, src)
	after, err := os.ReadFile(filepath.Join(dir, ".spinup", "verified"))
	require.NoError(t, err)
	require.Equal(t, before, after, "the result of hashing is noted")
}

// The name of a store is a name, not a pattern.
func TestStoresOfAnyName(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a[b", "[a]", "a*"} {
		src, c := weights("sha256"), &download.Cache{StoreDir: filepath.Join(t.TempDir(), name)}
		src.revision = "1"
		acquire(t, c, src)
		opens := src.opens()
		src.revision = "2"
		requireFiles(t, acquire(t, c, src).Dir, src.data)
		require.Equal(t, opens, src.opens(), "the files of revision 1 are linked")
	}
}

func TestANewRevisionReusesEqualFiles(t *testing.T) {
	t.Parallel()
	for _, algorithm := range []string{"sha256", ""} {
		t.Run(algorithm, func(t *testing.T) {
			t.Parallel()
			c := &download.Cache{StoreDir: t.TempDir()}
			old := newMemory(model(), algorithm)
			old.revision = "1"
			first := acquire(t, c, old)

			data := model()
			data["config.json"] = []byte(`{"new": true}`)
			next := newMemory(data, algorithm)
			next.revision = "2"
			for i := range next.files {
				if next.files[i].Path == "config.json" {
					next.files[i].Version = "v2"
				}
			}
			second := acquire(t, c, next)
			require.NotEqual(t, first.Dir, second.Dir)
			requireFiles(t, first.Dir, old.data)
			requireFiles(t, second.Dir, data)
			require.Equal(t, 1, next.opens(), "only the file that changed is fetched")

			opens := next.opens()
			acquire(t, c, next)
			require.Equal(t, opens, next.opens())
		})
	}
}

func TestOtherURIsAreKeptApart(t *testing.T) {
	t.Parallel()
	c := &download.Cache{StoreDir: t.TempDir()}
	dirs := map[string]bool{}
	for _, uri := range []string{"s3://bucket/a", "s3://bucket-a", "s3://bucket/a?x", strings.Repeat("long/", 100), "../../x", ""} {
		src := newMemory(map[string][]byte{"f": []byte(uri)}, "")
		src.uri, src.revision = uri, "1"
		lease := acquire(t, c, src)
		requireFiles(t, lease.Dir, src.data)
		require.Equal(t, c.StoreDir, filepath.Dir(lease.Dir))
		dirs[lease.Dir] = true
	}
	require.Len(t, dirs, 6)
}

func TestReplicasShareOneDownload(t *testing.T) {
	t.Parallel()
	src, c, m := newMemory(model(), "sha256"), &download.Cache{StoreDir: t.TempDir()}, &download.Manager{PartSize: mib}
	man, err := src.Resolve(t.Context())
	require.NoError(t, err)
	var group errgroup.Group
	for range 8 {
		group.Go(func() error {
			lease, err := c.Acquire(t.Context(), m, src, man, nil, nil)
			if err != nil {
				return err
			}
			return lease.Close()
		})
	}
	require.NoError(t, group.Wait())
	require.Equal(t, man.Size(), src.served)
}

func TestProcessesShareOneDownload(t *testing.T) {
	t.Parallel()
	files := map[string][]byte{"a": random(1, 20*mib), "b": random(2, 5*mib), "c": {}}
	o := newOrigin(t, files, nil, "sha256")
	store := t.TempDir()
	var group errgroup.Group
	var mu sync.Mutex
	dirs := map[string]int{}
	for range 3 {
		cmd := helper(t.Context(), "acquire", o.URL, store)
		in, err := cmd.StdinPipe()
		require.NoError(t, err)
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		group.Go(func() error {
			line, err := bufio.NewReader(out).ReadString('\n')
			mu.Lock()
			dirs[strings.TrimSpace(line)]++
			mu.Unlock()
			in.Close()
			if err != nil {
				return err
			}
			return cmd.Wait()
		})
	}
	require.NoError(t, group.Wait())
	require.Len(t, dirs, 1)
	for dir := range dirs {
		requireFiles(t, dir, files)
	}
	require.Less(t, o.sent.Load(), int64(30*mib), "once, but for what is on its way when a range is split")
}

func TestWhoWaitsSeesTheProgressAndTheFailure(t *testing.T) {
	t.Parallel()
	c := &download.Cache{StoreDir: t.TempDir()}
	src := newMemory(map[string][]byte{"weights": random(1, 8*mib)}, "crc32c")
	ctx, cancel := context.WithCancel(t.Context())
	halfway := make(chan struct{})
	src.fault = func(c call) (io.ReadCloser, error) {
		if c.off == 4*mib && c.try == 1 {
			close(halfway)
			<-c.ctx.Done() // the one who fetches is ended here
			return nil, c.ctx.Err()
		}
		return nil, nil
	}
	m := &download.Manager{PartSize: 4 * mib, Budget: &download.Budget{Connections: 1}}
	first := make(chan error, 1)
	go func() {
		_, err := c.Acquire(ctx, m, src, nil, nil, nil)
		first <- err
	}()
	<-halfway
	var last download.Progress
	lease, err := c.Acquire(t.Context(), m, src, nil, nil, func(p download.Progress) {
		if p.BytesDone == 4*mib && p.Waiting != "" {
			cancel()
		}
		last = p
	})
	require.NoError(t, err)
	require.Empty(t, last.Waiting)
	defer lease.Close()
	require.ErrorIs(t, <-first, lifecycle.Canceled)
	requireFiles(t, lease.Dir, src.data)
	require.Equal(t, int64(8*mib), src.served, "the second goes on where the first was")
}

func TestPrune(t *testing.T) {
	t.Parallel()
	store := t.TempDir()
	c := &download.Cache{StoreDir: store}
	leases := map[string]*download.Lease{}
	for i, name := range []string{"oldest", "older", "newest"} {
		src := newMemory(map[string][]byte{"f": random(byte(i), mib)}, "sha256")
		src.uri = "mem://" + name
		leases[name] = acquire(t, c, src)
	}
	age := func(name string, d time.Duration) {
		lock := filepath.Join(store, ".locks", filepath.Base(leases[name].Dir)+".lock")
		require.NoError(t, os.Chtimes(lock, time.Time{}, time.Now().Add(-d)))
	}
	left := func() (names []string) {
		for name, l := range leases {
			if _, err := os.Stat(l.Dir); err == nil {
				names = append(names, name)
			}
		}
		return names
	}
	age("oldest", 3*time.Hour)
	age("older", 2*time.Hour)
	require.NoError(t, c.Prune(t.Context(), 1, time.Nanosecond))
	require.Len(t, left(), 3, "what is leased stays")

	for _, l := range leases {
		require.NoError(t, l.Close())
	}
	age("oldest", 3*time.Hour)
	age("older", 2*time.Hour)
	require.NoError(t, c.Prune(t.Context(), 0, 0))
	require.Len(t, left(), 3, "0 is no limit")
	require.NoError(t, c.Prune(t.Context(), 0, 150*time.Minute))
	require.ElementsMatch(t, []string{"older", "newest"}, left())
	require.NoError(t, c.Prune(t.Context(), 3*mib/2, 0))
	require.ElementsMatch(t, []string{"newest"}, left())
	require.NoError(t, c.Prune(t.Context(), 0, time.Nanosecond))
	require.Empty(t, left())
}

// What a store holds beside our models is not ours, whatever its name.
func TestPruneLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	c := &download.Cache{StoreDir: t.TempDir()}
	lease := acquire(t, c, weights("sha256"))
	require.NoError(t, lease.Close())
	others := []string{"photos@home", "@eaDir", "a-0123456789abcdef@0123456789abcdef.old"}
	for _, name := range others {
		require.NoError(t, os.Mkdir(filepath.Join(c.StoreDir, name), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(c.StoreDir, name, "f"), []byte("x"), 0o600))
	}
	require.NoError(t, c.Prune(t.Context(), 1, time.Nanosecond))
	require.NoDirExists(t, lease.Dir)
	for _, name := range others {
		require.FileExists(t, filepath.Join(c.StoreDir, name, "f"))
	}
}

func TestPruneCountsLinkedFilesOnce(t *testing.T) {
	t.Parallel()
	c := &download.Cache{StoreDir: t.TempDir()}
	var dirs []string
	for _, revision := range []string{"1", "2", "3"} {
		src := newMemory(map[string][]byte{"f": random(1, 4*mib)}, "sha256")
		src.revision = revision
		lease := acquire(t, c, src)
		dirs = append(dirs, lease.Dir)
		require.NoError(t, lease.Close())
	}
	require.NoError(t, c.Prune(t.Context(), 5*mib, 0))
	for _, dir := range dirs {
		require.DirExists(t, dir)
	}
}

// inPlace is a source of files that lie on this machine.
type inPlace struct {
	*memory
	dir string
}

func (i inPlace) LocalDir() string { return i.dir }

func TestInPlaceIsLeasedWhereItIs(t *testing.T) {
	t.Parallel()
	store := filepath.Join(t.TempDir(), "store")
	src := inPlace{newMemory(model(), "sha256"), "/models/llama"}
	lease, err := (&download.Cache{StoreDir: store}).Acquire(t.Context(), nil, src, nil, nil, nil)
	require.NoError(t, err)
	require.Equal(t, "/models/llama", lease.Dir)
	require.NoError(t, lease.Close())
	require.NoDirExists(t, store)
	require.Zero(t, src.opens())
}

func TestTheDefaultStore(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_CACHE_HOME", home)
	lease := acquire(t, new(download.Cache), newMemory(model(), "sha256"))
	require.Equal(t, filepath.Join(home, "spinup", "store"), filepath.Dir(lease.Dir))
	t.Setenv("HOME", "")
	t.Setenv("XDG_CACHE_HOME", "")
	_, err := new(download.Cache).Acquire(t.Context(), nil, newMemory(model(), ""), nil, nil, nil)
	require.ErrorIs(t, err, lifecycle.Invalid)
}
