package download

import (
	"context"
	"encoding/hex"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"

	"github.com/spinup-llm/spinup/download/internal/journal"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"golang.org/x/sync/errgroup"
)

// proofs are what is known of the bytes of blobs, by their names: a blob may be a link, and a
// cache read-only, and neither is to be hashed at each start.
type proofs struct {
	noted map[string]journal.Verified // by whoever could write to the cache

	mu    sync.Mutex
	fresh map[string]journal.Verified // by us, and not noted yet
}

// recall reads what is noted in the cache now.
func (h *hubModel) recall() {
	root, err := os.OpenRoot(h.blobs())
	if err != nil {
		return
	}
	defer root.Close() //nolint:errcheck // nothing was written
	h.proofs.noted = verifiedIn(root)
}

// found adds what was hashed elsewhere.
func (p *proofs) found(records ...journal.Verified) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fresh == nil {
		p.fresh = map[string]journal.Verified{}
	}
	for _, v := range records {
		p.fresh[v.Path] = v
	}
}

func (p *proofs) know(now journal.Verified) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return agrees(p.noted[now.Path], now) || agrees(p.fresh[now.Path], now)
}

// all returns what is to be noted.
func (p *proofs) all() []journal.Verified {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Collect(maps.Values(p.fresh))
}

// proves reports whether the file at a path holds the bytes of the blob f.Digest, and hashes it
// where that is not known. It follows links wherever they lead: only the owner of the cache
// makes them, and may have moved a large file to another disk.
func (h *hubModel) proves(ctx context.Context, at string, f source.File) bool {
	info, err := os.Stat(at)
	if err != nil || !info.Mode().IsRegular() || info.Size() != f.Size {
		return false
	}
	f.Path = f.Digest.Hex
	now := record(f, info)
	if h.proofs.know(now) {
		return true
	}
	r, err := os.Open(at) //nolint:gosec // below the model's folder by names that were checked
	if err != nil {
		return false
	}
	defer r.Close() //nolint:errcheck // nothing was written
	sum, err := sumOf(ctx, r, f)
	if err != nil || !f.Digest.Equal(sum) {
		return false
	}
	h.proofs.found(now)
	return true
}

// own returns the blobs that are for us to bring: not those that are links, into the store that
// all models share or to another disk, where their bytes are right.
func (h *hubModel) own(ctx context.Context) ([]source.File, error) {
	h.recall()
	names := h.names()
	blobs := make([]source.File, len(names))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, name := range names {
		group.Go(func() error {
			f, at := h.paths[name], filepath.Join(h.blobs(), name)
			info, err := os.Lstat(at)
			if err == nil && info.Mode()&fs.ModeSymlink != 0 && h.proves(ctx, at, f) {
				return nil
			}
			f.Path = name
			blobs[i] = f
			return nil
		})
	}
	_ = group.Wait() // a blob that cannot be verified is fetched
	blobs = slices.DeleteFunc(blobs, func(f source.File) bool { return f.Path == "" })
	return blobs, lifecycle.FromContext(ctx, "download.Acquire", h.dir)
}

// intact reports whether a cache that cannot be written to has all the files.
func (h *hubModel) intact(ctx context.Context, files []source.File) bool {
	h.recall()
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	whole := make([]bool, len(files))
	for i, f := range files {
		group.Go(func() error {
			whole[i] = h.proves(ctx, filepath.Join(h.dir, filepath.FromSlash(h.snapshot(f.Path))), f)
			return nil
		})
	}
	_ = group.Wait() // none fails
	return !slices.Contains(whole, false)
}

// checkDigests makes sure that the names of blobs, which the source tells, are names.
func checkDigests(files []source.File) error {
	for _, f := range files {
		if _, err := hex.DecodeString(f.Digest.Hex); err != nil || !f.Digest.Known() {
			return &lifecycle.Error{
				Op: "download.Acquire", Kind: lifecycle.Invalid, Target: f.Path, Err: err,
				Hint: "the hub must list a sha256 or git-sha1 digest of it",
			}
		}
	}
	return nil
}
