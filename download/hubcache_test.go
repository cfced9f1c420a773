package download_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"
	"github.com/spinup-llm/spinup/download"
	"github.com/spinup-llm/spinup/internal/testenv"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
)

const commit = "0123456789abcdef0123456789abcdef01234567"

// hubbed is a source whose files belong into the cache of the hub's tools.
type hubbed struct {
	source.Source
	cache source.HubCache
}

func (h *hubbed) HubCache(string) source.HubCache { return h.cache }

// A hubModel is a model in memory that belongs into such a cache.
type hubModel struct {
	*memory
	dir string // …/models--acme--tiny
}

func newHubModel(t *testing.T) hubModel {
	t.Helper()
	h := hubModel{memory: weights("sha256"), dir: filepath.Join(t.TempDir(), "hub", "models--acme--tiny")}
	h.uri, h.revision = "hf://acme/tiny", commit
	return h
}

func (h hubModel) source() source.Source {
	return &hubbed{Source: h.memory, cache: source.HubCache{Dir: h.dir, Ref: "main"}}
}

func (h hubModel) acquire(t *testing.T) *download.Lease {
	t.Helper()
	return acquire(t, new(download.Cache), h.source())
}

func (h hubModel) blob(path string) string {
	return filepath.Join(h.dir, "blobs", digest("sha256", h.data[path]).Hex)
}

func (h hubModel) lock(path string) *flock.Flock {
	return flock.New(filepath.Join(filepath.Dir(h.dir), ".locks", filepath.Base(h.dir), filepath.Base(h.blob(path))+".lock"))
}

func (h hubModel) snapshot(path string) string {
	return filepath.Join(h.dir, "snapshots", commit, path)
}

// swap changes the bytes of the file behind path, but not what its record says of it: who then
// takes it for right has not hashed it.
func swap(t *testing.T, path string) {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteAt([]byte("other"), 3)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	require.NoError(t, os.Chtimes(path, time.Time{}, info.ModTime()))
}

// Who wants a small file does not wait until the large ones are there, neither for us nor for
// one more of ours that waits for those.
func TestHubBlobIsFreeOnceItIsThere(t *testing.T) {
	t.Parallel()
	h := newHubModel(t)
	require.Less(t, h.blob("config.json"), h.blob("weights"), "locks are taken in this order")
	proceed := map[string]chan struct{}{"config.json": make(chan struct{}), "weights": make(chan struct{})}
	h.fault = func(c call) (io.ReadCloser, error) {
		c.wait(proceed[c.file.Path])
		return nil, nil
	}
	first, second := make(chan error, 1), make(chan error, 1)
	waits := make(chan string, 1000)
	go func() { first <- h.tryAcquire(t, nil) }()
	require.Eventually(t, func() bool { return h.opens() > 0 }, 10*time.Second, time.Millisecond)
	go func() { second <- h.tryAcquire(t, func(p download.Progress) { waits <- p.Waiting }) }()
	require.Equal(t, "another download of config.json", <-waits)
	close(proceed["config.json"])
	require.Eventually(t, func() bool { return <-waits == "another download of weights" }, 10*time.Second, time.Millisecond)
	h.requireFree(t, "config.json")
	require.FileExists(t, h.blob("config.json"))
	held, err := h.lock("weights").TryLock()
	require.NoError(t, err)
	require.False(t, held, "what is on its way is held")
	require.NoDirExists(t, filepath.Join(h.dir, "snapshots"), "nothing half-done is visible")
	require.NoDirExists(t, filepath.Join(h.dir, "refs"))
	close(proceed["weights"])
	require.NoError(t, <-first)
	require.NoError(t, <-second)
	require.Equal(t, 1, h.tries("config.json"))
	requireFile(t, h.dir, "refs/main", []byte(commit))
}

// What lay in the snapshot and is taken over is free as well.
func TestHubBlobThatIsTakenOverIsFree(t *testing.T) {
	t.Parallel()
	h, proceed := newHubModel(t), make(chan struct{})
	require.NoError(t, os.MkdirAll(filepath.Dir(h.snapshot("config.json")), 0o755))
	require.NoError(t, os.WriteFile(h.snapshot("config.json"), h.data["config.json"], 0o600))
	h.fault = func(c call) (io.ReadCloser, error) {
		c.wait(proceed)
		return nil, nil
	}
	ended := make(chan error, 1)
	go func() { ended <- h.tryAcquire(t, nil) }()
	require.Eventually(t, func() bool { return h.opens() > 0 }, 10*time.Second, time.Millisecond)
	h.requireFree(t, "config.json")
	close(proceed)
	require.NoError(t, <-ended)
	require.Zero(t, h.tries("config.json"))
}

func (h hubModel) tryAcquire(t *testing.T, report func(download.Progress)) error {
	t.Helper()
	lease, err := new(download.Cache).Acquire(t.Context(), nil, h.source(), nil, nil, report)
	if err != nil {
		return err
	}
	return lease.Close()
}

func (h hubModel) requireFree(t *testing.T, path string) {
	t.Helper()
	l := h.lock(path)
	require.Eventually(t, func() bool { ok, err := l.TryLock(); return ok && err == nil }, 5*time.Second, time.Millisecond)
	require.NoError(t, l.Close())
}

func (h hubModel) tries(path string) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.calls {
		if c.file.Path == path {
			n++
		}
	}
	return n
}

// move puts the blob elsewhere and a link in its place.
func (h hubModel) move(t *testing.T, path, to, link string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(to), 0o755))
	require.NoError(t, os.Rename(h.blob(path), to))
	require.NoError(t, os.Symlink(link, h.blob(path)))
}

// A blob that is a link, into the store that all models share or to another disk, is hashed
// once.
func TestHubLinkedBlobIsHashedOnce(t *testing.T) {
	t.Parallel()
	for _, shared := range []bool{true, false} {
		h := newHubModel(t)
		lease := h.acquire(t)
		opens := h.opens()
		to := filepath.Join(t.TempDir(), "weights") // on another disk
		link := to
		if shared {
			to, link = filepath.Join(filepath.Dir(h.dir), "blobs/ab/abcd"), "../../blobs/ab/abcd"
		}
		h.move(t, "weights", to, link)
		now := time.Now().Add(time.Hour)
		require.NoError(t, os.Chtimes(to, now, now)) // nothing is known of it
		h.acquire(t)
		swap(t, to)
		h.acquire(t)
		require.Equal(t, opens, h.opens())
		target, err := os.Readlink(h.blob("weights"))
		require.NoError(t, err)
		require.Equal(t, link, target, "it stays where its owner put it")

		require.NoError(t, os.Chtimes(to, now, now.Add(time.Hour)))
		h.acquire(t)
		require.Greater(t, h.opens(), opens, "changed, it is hashed, and fetched as it is wrong")
		requireFiles(t, lease.Dir, h.data)
	}
}

// What was verified by whoever could write to the cache is not hashed by those who cannot.
func TestHubReadOnlyCacheIsNotHashed(t *testing.T) {
	t.Parallel()
	h := newHubModel(t)
	dir := h.acquire(t).Dir
	require.NoError(t, os.RemoveAll(filepath.Join(filepath.Dir(h.dir), ".locks")))
	swap(t, h.snapshot("weights"))
	undo := testenv.ReadOnly(t, filepath.Dir(h.dir))
	require.Equal(t, dir, h.acquire(t).Dir)
	undo()
	require.NoError(t, os.Chtimes(h.blob("weights"), time.Now(), time.Now()))
	testenv.ReadOnly(t, filepath.Dir(h.dir))
	_, err := new(download.Cache).Acquire(t.Context(), nil, h.source(), nil, nil, nil)
	require.ErrorIs(t, err, lifecycle.AccessDenied, "of other bytes nothing is known")
}

// The folder of a model, and a blob, may be links to another disk.
func TestHubReadOnlyCacheWithLinksToOtherDisks(t *testing.T) {
	t.Parallel()
	h := newHubModel(t)
	dir := h.acquire(t).Dir
	cache := filepath.Dir(h.dir)
	require.NoError(t, os.RemoveAll(filepath.Join(cache, ".locks"))) // as another tool leaves it
	require.NoError(t, os.RemoveAll(filepath.Join(h.dir, "blobs/.spinup")))
	disk := t.TempDir()
	h.move(t, "weights", filepath.Join(disk, "weights"), filepath.Join(disk, "weights"))
	moved := filepath.Join(disk, filepath.Base(h.dir))
	require.NoError(t, os.Rename(h.dir, moved))
	require.NoError(t, os.Symlink(moved, h.dir))
	testenv.ReadOnly(t, disk)
	testenv.ReadOnly(t, cache)
	opens := h.opens()
	require.Equal(t, dir, h.acquire(t).Dir)
	require.Equal(t, opens, h.opens())
	requireFile(t, dir, "weights", h.data["weights"])
}

// What a kill left of a copy, or of a revision that was being removed, goes once nobody can be at it.
func TestHubCopiesOfKilledProgramsAreSwept(t *testing.T) {
	t.Parallel()
	h := newHubModel(t)
	h.acquire(t)
	state := filepath.Join(h.dir, "blobs/.spinup")
	next, gone := filepath.Join(state, "ABC.next"), filepath.Join(state, strings.Repeat("1", 40)+".gone", "config.json")
	leave := func() {
		require.NoError(t, os.MkdirAll(filepath.Dir(gone), 0o755))
		for _, path := range []string{next, gone} {
			require.NoError(t, os.WriteFile(path, []byte("x"), 0o600))
		}
	}
	for name, sweep := range map[string]func(){
		"lease": func() { h.acquire(t) },
		"prune": func() { require.NoError(t, download.PruneHub(t.Context(), filepath.Dir(h.dir), 0, 0)) },
	} {
		leave()
		busy := flock.New(filepath.Join(filepath.Dir(h.dir), ".locks", filepath.Base(h.dir), "model.lease"))
		require.NoError(t, busy.RLock())
		sweep()
		require.FileExists(t, next, "%s: somebody may be about to rename it", name)
		require.NoError(t, busy.Unlock())
		sweep()
		require.NoFileExists(t, next, name)
		require.NoDirExists(t, filepath.Dir(gone), name)
	}
}

// A ref or a listing that a power cut left empty or garbled is none, and is written anew.
func TestHubGarbledRefsAndListings(t *testing.T) {
	t.Parallel()
	h := newHubModel(t)
	listing := []byte(`{"format_version": 1, "files": {}}`)
	src := &hubbed{Source: h.memory, cache: source.HubCache{Dir: h.dir, Ref: "main", Listing: listing}}
	acquire(t, new(download.Cache), src)
	opens := h.opens()
	for _, garbled := range []string{"", "\x00\x00\x00", commit[:39], commit[:39] + "\x00", `{"format_ve`} {
		for name, want := range map[string][]byte{"refs/main": []byte(commit), "trees/" + commit + ".json": listing} {
			require.NoError(t, os.WriteFile(filepath.Join(h.dir, name), []byte(garbled), 0o600))
			requireFiles(t, acquire(t, new(download.Cache), src).Dir, h.data)
			requireFile(t, h.dir, name, want)
		}
	}
	require.Equal(t, opens, h.opens(), "no file is fetched for that")
}

// The names of blobs come from the hub and lead nowhere else.
func TestHubDigestIsAName(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"../../../escaped", "", "/escaped"} {
		h := newHubModel(t)
		h.files[0].Digest.Hex = name
		_, err := new(download.Cache).Acquire(t.Context(), nil, h.source(), nil, nil, nil)
		require.ErrorIs(t, err, lifecycle.Invalid)
		require.ErrorContains(t, err, h.files[0].Path)
		require.NoDirExists(t, h.dir)
	}
}

func ExamplePruneHub() {
	dir, err := os.MkdirTemp("", "hub") // hub.CacheDir(os.Getenv) is the one in use
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	err = download.PruneHub(context.Background(), dir, 500e9, 30*24*time.Hour)
	fmt.Println(err)
	// Output: <nil>
}
