package hub_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"
	"github.com/spinup-llm/spinup/download"
	"github.com/spinup-llm/spinup/internal/hubtest"
	"github.com/spinup-llm/spinup/internal/testenv"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

var model = map[string]string{
	"config.json": "{}", "a b/ünï.txt": "x", "same.txt": "x", "empty": "", weights: text(100_000), "tokenizer.json": text(3000),
}

func stockedModel(t *testing.T) (h *hubtest.Hub, sha string) {
	t.Helper()
	h = hubtest.New(t)
	for path, data := range model {
		sha = h.Put(id, path, []byte(data))
	}
	return h, sha
}

func acquire(tb testing.TB, src source.Source) *download.Lease {
	tb.Helper()
	lease, err := new(download.Cache).Acquire(tb.Context(), new(download.Manager), src, nil, nil, nil)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, lease.Close()) })
	return lease
}

func modelDir(h *hubtest.Hub) string {
	return filepath.Join(h.Env()["HF_HOME"], "hub", "models--acme--tiny")
}

func requireModel(t *testing.T, dir string) {
	t.Helper()
	for path, data := range model {
		requireFile(t, dir, path, data)
	}
}

// A download has the form that the tools of the hub give it.
func TestCacheLayout(t *testing.T) {
	t.Parallel()
	h, sha := stockedModel(t)
	h.Branch(id, "refs/pr/1")
	dir := modelDir(h)
	for _, ref := range []string{sha, "main", "refs/pr/1"} {
		lease := acquire(t, open(t, "hf://acme/tiny@"+ref, h.Env()))
		require.Equal(t, filepath.Join(dir, "snapshots", sha), lease.Dir)
		requireModel(t, lease.Dir)
		if ref == sha {
			require.NoDirExists(t, filepath.Join(dir, "refs"), "a commit needs no ref")
			continue
		}
		requireFile(t, dir, "refs/"+ref, sha)
	}
	require.Equal(t, 1, count(h, true, ""), "one download served all")
	target, err := os.Readlink(filepath.Join(dir, "snapshots", sha, "a b/ünï.txt"))
	require.NoError(t, err)
	f := listed(t, open(t, "hf://acme/tiny", h.Env()), "a b/ünï.txt")
	require.Equal(t, "../../../blobs/"+f.Version, target)
	locks, err := filepath.Glob(filepath.Join(filepath.Dir(dir), ".locks/models--acme--tiny/*.lock"))
	require.NoError(t, err)
	require.Len(t, locks, len(model)-1, "one for each blob")
}

func TestCacheOffline(t *testing.T) {
	t.Parallel()
	h, sha := stockedModel(t)
	acquire(t, open(t, "hf://acme/tiny", h.Env()))
	before := len(h.Requests())
	env := with(h.Env(), "HF_HUB_OFFLINE", "1")
	for _, uri := range []string{"hf://acme/tiny", "hf://acme/tiny@" + sha} {
		src := open(t, uri, env)
		lease := acquire(t, src)
		require.Equal(t, sha, lease.Manifest.Revision)
		require.Equal(t, "hf://acme/tiny", lease.Manifest.URI)
		requireModel(t, lease.Dir)
		f, ok := lease.Manifest.File(weights)
		require.True(t, ok)
		require.Equal(t, text(100_000)[9:99], mustRead(t, src, f, 9, 90))
		require.Equal(t, text(100_000), mustRead(t, open(t, uri, env), f, 0, -1), "without Resolve")
	}
	require.Len(t, h.Requests(), before)

	_, err := open(t, "hf://acme/tiny@v1", env).Resolve(t.Context())
	require.ErrorIs(t, err, lifecycle.NotFound)
	require.ErrorContains(t, err, "unset HF_HUB_OFFLINE")

	// what the listing names and is not there makes the copy incomplete
	require.NoError(t, os.MkdirAll(filepath.Join(modelDir(h), "trees"), 0o755))
	kept := `{"format_version":1,"files":{"config.json":{"size":2,"blob_id":"` + strings.Repeat("1", 40) + `"},"gone.safetensors":{"size":2,"blob_id":"` + strings.Repeat("2", 40) + `"}}}`
	require.NoError(t, os.WriteFile(filepath.Join(modelDir(h), "trees", sha+".json"), []byte(kept), 0o600))
	_, err = open(t, "hf://acme/tiny", env).Resolve(t.Context())
	require.ErrorIs(t, err, lifecycle.MissingFile)
	require.ErrorContains(t, err, "gone.safetensors is missing")
}

// While the hub cannot be had, the error says that there is a copy.
func TestCacheWhileTheHubIsDown(t *testing.T) {
	t.Parallel()
	h, sha := stockedModel(t)
	acquire(t, open(t, "hf://acme/tiny", h.Env()))
	h.Break(hubtest.Fault{Do: hubtest.Status(503, "")})
	_, err := open(t, "hf://acme/tiny", h.Env()).Resolve(t.Context())
	require.ErrorIs(t, err, lifecycle.Unavailable)
	require.ErrorContains(t, err, "the cache has it as of commit "+sha[:8]+", which HF_HUB_OFFLINE=1 uses")
	requireModel(t, acquire(t, open(t, "hf://acme/tiny@"+sha, h.Env())).Dir)
	_, err = open(t, "hf://acme/tiny@v9", h.Env()).Resolve(t.Context())
	require.NotContains(t, dump(err), "HF_HUB_OFFLINE")
}

// A blob that was damaged since is found and fetched again.
func TestCacheRepairs(t *testing.T) {
	t.Parallel()
	h, _ := stockedModel(t)
	lease := acquire(t, open(t, "hf://acme/tiny", h.Env()))
	for _, damage := range []string{"short", strings.Repeat("y", 100_000)} {
		require.NoError(t, os.WriteFile(filepath.Join(lease.Dir, weights), []byte(damage), 0o600))
		requireModel(t, acquire(t, open(t, "hf://acme/tiny", h.Env())).Dir)
	}
	require.NoError(t, os.Remove(filepath.Join(lease.Dir, "config.json")))
	require.NoError(t, os.WriteFile(filepath.Join(lease.Dir, "config.json"), []byte("a file, not a link"), 0o600))
	requireModel(t, acquire(t, open(t, "hf://acme/tiny", h.Env())).Dir)
	require.Equal(t, 3, count(h, true, ""))
}

// A blob may be a link into the store that all models share.
func TestCacheSharedBlob(t *testing.T) {
	t.Parallel()
	h, _ := stockedModel(t)
	lease := acquire(t, open(t, "hf://acme/tiny", h.Env()))
	blob, err := filepath.EvalSymlinks(filepath.Join(lease.Dir, weights))
	require.NoError(t, err)
	store := filepath.Join(modelDir(h), "../blobs/ab")
	require.NoError(t, os.MkdirAll(store, 0o755))
	require.NoError(t, os.Rename(blob, filepath.Join(store, "abcdef")))
	require.NoError(t, os.Symlink("../../blobs/ab/abcdef", blob))
	requireModel(t, acquire(t, open(t, "hf://acme/tiny", h.Env())).Dir)
	require.Equal(t, 1, count(h, true, ""))
	require.NoError(t, os.WriteFile(filepath.Join(store, "abcdef"), []byte(strings.Repeat("z", 100_000)), 0o600))
	requireModel(t, acquire(t, open(t, "hf://acme/tiny", h.Env())).Dir)
	require.Equal(t, 2, count(h, true, ""), "a damaged one is fetched")
}

func TestCacheConcurrent(t *testing.T) {
	t.Parallel()
	h, _ := stockedModel(t)
	var g errgroup.Group
	for range 8 {
		g.Go(func() error {
			lease, err := new(download.Cache).Acquire(t.Context(), new(download.Manager), open(t, "hf://acme/tiny", h.Env()), nil, nil, nil)
			if err == nil {
				requireModel(t, lease.Dir)
			}
			return err
		})
	}
	require.NoError(t, g.Wait())
	require.Equal(t, 1, count(h, true, ""))
}

// What another tool is at is waited for, and not fetched again.
func TestCacheWaitsForOthers(t *testing.T) {
	t.Parallel()
	h, _ := stockedModel(t)
	src := open(t, "hf://acme/tiny", h.Env())
	f := listed(t, src, weights)
	locks := filepath.Join(modelDir(h), "../.locks/models--acme--tiny")
	require.NoError(t, os.MkdirAll(locks, 0o755))
	other := flock.New(filepath.Join(locks, f.Version+".lock"))
	require.NoError(t, other.Lock())
	done := make(chan error, 1)
	go func() {
		_, err := new(download.Cache).Acquire(t.Context(), new(download.Manager), src, nil, nil, nil)
		done <- err
	}()
	select {
	case err := <-done:
		require.Fail(t, "it did not wait", "%v", err)
	case <-time.After(200 * time.Millisecond):
	}
	blobs := filepath.Join(modelDir(h), "blobs")
	require.NoError(t, os.MkdirAll(blobs, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(blobs, f.Version), []byte(model[weights]), 0o600))
	require.NoError(t, other.Unlock())
	require.NoError(t, <-done)
	require.Zero(t, count(h, true, ""))
}

// While we are at it, others find the lock of the blob taken.
func TestCacheLocks(t *testing.T) {
	t.Parallel()
	h, _ := stockedModel(t)
	src := open(t, "hf://acme/tiny", h.Env())
	f := listed(t, src, weights)
	free := true
	h.Break(hubtest.Fault{CDN: true, Times: 1, Do: func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		other := flock.New(filepath.Join(modelDir(h), "../.locks/models--acme--tiny", f.Version+".lock"))
		free, _ = other.TryLock()
		next.ServeHTTP(w, r)
	}})
	acquire(t, src)
	require.False(t, free)
	other := flock.New(filepath.Join(modelDir(h), "../.locks/models--acme--tiny", f.Version+".lock"))
	free, err := other.TryLock()
	require.NoError(t, err)
	require.True(t, free)
	require.NoError(t, other.Close())
}

// What goes wrong names the file as the model does, not its blob.
func TestCacheErrors(t *testing.T) {
	t.Parallel()
	h, _ := stockedModel(t)
	h.Break(hubtest.Fault{CDN: true, Do: hubtest.Flip(5)})
	m := &download.Manager{Logger: slog.New(slog.DiscardHandler)}
	seen := map[string]bool{}
	_, err := new(download.Cache).Acquire(t.Context(), m, open(t, "hf://acme/tiny", h.Env()), nil, nil, func(p download.Progress) {
		for _, path := range p.Current {
			seen[path] = true
		}
	})
	require.ErrorIs(t, err, lifecycle.Corrupt)
	require.ErrorContains(t, err, weights)
	for path := range seen {
		require.Contains(t, model, path)
	}
	require.NoDirExists(t, filepath.Join(modelDir(h), "snapshots"), "nothing half-done is visible")

	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err = new(download.Cache).Acquire(t.Context(), m, open(t, "hf://acme/tiny", with(h.Env(), "HF_HUB_CACHE", file)), nil, nil, nil)
	require.ErrorIs(t, err, lifecycle.Invalid)
	require.ErrorContains(t, err, "choose another directory, with HF_HUB_CACHE")
}

// A cache that cannot be written to serves what it has.
func TestCacheReadOnly(t *testing.T) {
	t.Parallel()
	h, _ := stockedModel(t)
	lease := acquire(t, open(t, "hf://acme/tiny", h.Env()))
	cache := filepath.Dir(modelDir(h))
	require.NoError(t, os.RemoveAll(filepath.Join(cache, ".locks"))) // as another tool leaves it
	require.NoError(t, os.RemoveAll(filepath.Join(modelDir(h), "blobs/.spinup")))
	undo := testenv.ReadOnly(t, cache)
	require.Equal(t, lease.Dir, acquire(t, open(t, "hf://acme/tiny", h.Env())).Dir)
	require.Equal(t, 1, count(h, true, ""))
	undo()
	require.NoError(t, os.WriteFile(filepath.Join(lease.Dir, weights), []byte("damaged"), 0o600))
	testenv.ReadOnly(t, cache)
	_, err := new(download.Cache).Acquire(t.Context(), nil, open(t, "hf://acme/tiny", h.Env()), nil, nil, nil)
	require.ErrorIs(t, err, lifecycle.AccessDenied)
}

// Without links a snapshot has the files themselves.
func TestCacheWithoutLinks(t *testing.T) {
	t.Parallel()
	h, sha := stockedModel(t)
	env := with(h.Env(), "HF_HUB_DISABLE_SYMLINKS", "1")
	for range 2 {
		lease := acquire(t, open(t, "hf://acme/tiny", env))
		require.Equal(t, filepath.Join(modelDir(h), "snapshots", sha), lease.Dir)
		requireModel(t, lease.Dir)
		for path := range model {
			info, err := os.Lstat(filepath.Join(lease.Dir, path))
			require.NoError(t, err)
			require.True(t, info.Mode().IsRegular(), path)
		}
	}
	require.Equal(t, 1, count(h, true, ""))
	require.NoError(t, os.RemoveAll(filepath.Join(modelDir(h), "blobs")))
	for _, env := range []lifecycle.EnvVars{env, h.Env()} { // as the tools leave it
		requireModel(t, acquire(t, open(t, "hf://acme/tiny", env)).Dir)
	}
	require.Equal(t, 1, count(h, true, ""), "what lies in the snapshot is taken over")
}

// What has arrived is not fetched again when a download was interrupted.
func TestCacheResumes(t *testing.T) {
	t.Parallel()
	const size, part = 8 << 20, 4 << 20
	h := hubtest.New(t)
	h.Put(id, weights, []byte(text(size)))
	h.Break(hubtest.Fault{CDN: true, Times: 2, Do: hubtest.Stall(3 << 20)})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	m := &download.Manager{PartSize: part}
	_, err := new(download.Cache).Acquire(ctx, m, open(t, "hf://acme/tiny", h.Env()), nil, nil, func(p download.Progress) {
		if p.BytesDone >= 6<<20 {
			cancel()
		}
	})
	require.ErrorIs(t, err, lifecycle.Canceled)
	before := len(requests(h, true, ""))
	requireFile(t, acquire(t, open(t, "hf://acme/tiny", h.Env())).Dir, weights, text(size))
	again := int64(0)
	for _, r := range requests(h, true, "")[before:] {
		var from, to int64
		_, err := fmt.Sscanf(r.Range, "bytes=%d-%d", &from, &to)
		require.NoError(t, err, "a range is asked for")
		again += to + 1 - from
	}
	require.LessOrEqual(t, again, int64(4<<20), "2 MiB are missing, and at most 1 of each part is not journalled")
}
