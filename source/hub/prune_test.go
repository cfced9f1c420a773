package hub_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gofrs/flock"
	"github.com/spinup-llm/spinup/download"
	"github.com/spinup-llm/spinup/internal/hubtest"
	"github.com/stretchr/testify/require"
)

// A pruned cache holds three revisions of a model, of which two share their weights.
type pruned struct {
	*testing.T
	h      *hubtest.Hub
	leases []*download.Lease
}

func newPruned(t *testing.T) pruned {
	t.Helper()
	p := pruned{T: t, h: hubtest.New(t)}
	for i, size := range []int{1 << 20, 1 << 20, 2 << 20} {
		p.h.Put(id, weights, []byte(text(size)))
		p.h.Put(id, "config.json", fmt.Appendf(nil, `{"revision":%d}`, i))
		p.h.Branch(id, fmt.Sprint("v", i))
		lease := acquire(t, open(t, fmt.Sprint("hf://acme/tiny@v", i), p.h.Env()))
		p.leases = append(p.leases, lease)
	}
	return p
}

func (p pruned) cache() string { return filepath.Dir(modelDir(p.h)) }

// age makes a revision one that nobody has used for d.
func (p pruned) age(i int, d time.Duration) {
	p.Helper()
	at := time.Now().Add(-d)
	sha := p.leases[i].Manifest.Revision
	require.NoError(p, os.Chtimes(filepath.Join(p.cache(), ".locks", filepath.Base(modelDir(p.h)), sha+".lease"), at, at))
	for _, f := range p.leases[i].Manifest.Files {
		require.NoError(p, os.Chtimes(filepath.Join(p.leases[i].Dir, f.Path), at, at))
	}
}

func (p pruned) prune(bytes int64, age time.Duration) (left []int) {
	p.Helper()
	require.NoError(p, download.PruneHub(p.Context(), p.cache(), bytes, age))
	for i, l := range p.leases {
		ref := filepath.Join(modelDir(p.h), "refs", fmt.Sprint("v", i))
		if _, err := os.Stat(l.Dir); err != nil {
			require.NoFileExists(p, ref)
			require.NoFileExists(p, filepath.Join(modelDir(p.h), "trees", l.Manifest.Revision+".json"))
			require.NoDirExists(p, filepath.Join(modelDir(p.h), ".no_exist", l.Manifest.Revision))
			continue
		}
		left = append(left, i)
		require.FileExists(p, ref)
		for _, f := range l.Manifest.Files {
			require.FileExists(p, filepath.Join(l.Dir, f.Path))
		}
	}
	return left
}

func (p pruned) release() {
	for _, l := range p.leases {
		require.NoError(p, l.Close())
	}
}

func TestPruneHubByAge(t *testing.T) {
	t.Parallel()
	p := newPruned(t)
	p.age(0, 3*time.Hour)
	require.Equal(t, []int{0, 1, 2}, p.prune(1, time.Nanosecond), "what is leased stays")
	p.release()
	p.age(2, 2*time.Hour)
	p.age(0, 3*time.Hour)
	require.Equal(t, []int{0, 1, 2}, p.prune(0, 0), "0 is no limit")
	require.Equal(t, []int{1}, p.prune(0, time.Hour))
	blobs, err := os.ReadDir(filepath.Join(modelDir(p.h), "blobs"))
	require.NoError(t, err)
	require.Len(t, blobs, 2+1, "its configuration, the weights that the first had too, our notes")
	p.age(1, 4*time.Hour)
	require.Empty(t, p.prune(0, time.Hour))
	require.NoDirExists(t, modelDir(p.h), "with its last revision the model goes")
}

func TestPruneHubBySize(t *testing.T) {
	t.Parallel()
	p := newPruned(t)
	p.release()
	p.age(2, 5*time.Hour)
	p.age(1, 2*time.Hour)
	require.NoError(t, os.Chtimes(filepath.Join(p.leases[1].Dir, "config.json"), time.Now(), time.Now()), "it was read")
	require.Equal(t, []int{0, 1, 2}, p.prune(4<<20, 0), "what is shared counts once")
	require.Equal(t, []int{0, 1}, p.prune(3<<20, 0))
	require.Equal(t, []int{1}, p.prune(1<<20+4096, 0))
	before := p.count()
	requireFile(t, acquire(t, open(t, "hf://acme/tiny@"+p.leases[1].Manifest.Revision, p.h.Env())).Dir, weights, text(1<<20))
	require.Equal(t, before, p.count())
}

func (p pruned) count() int { return len(p.h.Requests()) }

// What a tool is at stays, and what killed ones left goes.
func TestPruneHubBesideOthers(t *testing.T) {
	t.Parallel()
	p := newPruned(t)
	p.release()
	blob, err := os.Readlink(filepath.Join(p.leases[2].Dir, weights))
	require.NoError(t, err)
	name := filepath.Base(blob)
	lock := flock.New(filepath.Join(p.cache(), ".locks", filepath.Base(modelDir(p.h)), name+".lock"))
	require.NoError(t, lock.Lock())
	partial := func(age time.Duration) string {
		path := filepath.Join(modelDir(p.h), "blobs", name+fmt.Sprintf(".%08x.incomplete", age))
		require.NoError(t, os.WriteFile(path, []byte("x"), 0o600))
		require.NoError(t, os.Chtimes(path, time.Time{}, time.Now().Add(-age)))
		return path
	}
	dead, alive := partial(time.Hour), partial(0)
	require.Equal(t, []int{2}, p.prune(1, 0))
	require.FileExists(t, dead, "its lock is held")
	require.NoError(t, lock.Unlock())
	require.Empty(t, p.prune(1, 0))
	require.NoFileExists(t, dead)
	require.FileExists(t, alive)
	require.NoError(t, download.PruneHub(t.Context(), filepath.Join(t.TempDir(), "none"), 1, 1))
}

// Bytes in the store that all models share go with the last link to them.
func TestPruneHubShared(t *testing.T) {
	t.Parallel()
	p := newPruned(t)
	p.release()
	blob, err := filepath.EvalSymlinks(filepath.Join(p.leases[2].Dir, weights))
	require.NoError(t, err)
	shared := filepath.Join(p.cache(), "blobs/ab/abcdef")
	require.NoError(t, os.MkdirAll(filepath.Dir(shared), 0o755))
	require.NoError(t, os.Rename(blob, shared))
	require.NoError(t, os.Symlink("../../blobs/ab/abcdef", blob))
	other := filepath.Join(p.cache(), "datasets--a--b/blobs/x")
	require.NoError(t, os.MkdirAll(filepath.Dir(other), 0o755))
	require.NoError(t, os.Symlink("../../blobs/ab/abcdef", other))
	p.age(2, 3*time.Hour)
	require.Equal(t, []int{0, 1}, p.prune(0, time.Hour))
	require.FileExists(t, shared, "another repository has it")

	require.NoError(t, os.Remove(other))
	lease := acquire(t, open(t, "hf://acme/tiny@v2", p.h.Env()))
	require.NoError(t, lease.Close())
	require.NoError(t, os.Remove(blob))
	require.NoError(t, os.Symlink("../../blobs/ab/abcdef", blob))
	p.age(2, 3*time.Hour)
	require.Equal(t, []int{0, 1}, p.prune(0, time.Hour))
	require.NoFileExists(t, shared)
}
