package download

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
)

// PruneHub removes revisions of models from dir, the cache that the tools of the Hugging Face
// Hub share (see hub.CacheDir): those that nobody has used for longer than maxAge, and then
// those used least recently until the models take at most maxBytes of the disk. 0 means no
// limit. Used means brought or leased here, or read by any program, as far as the file system
// notes that. Dead partial files go as well.
//
// What is leased stays, and what any tool is bringing. The others find a revision whole or
// not at all: refs to it go first, and blobs that nothing leads to last. Data sets and other
// sorts of repositories are left alone. What cannot be removed is reported, joined, after the
// rest was tried.
func PruneHub(ctx context.Context, dir string, maxBytes int64, maxAge time.Duration) error {
	entries, err := listRevisions(dir)
	if err != nil {
		return diskError("download.PruneHub", dir, err)
	}
	plain := make([]entry, len(entries))
	for i, e := range entries {
		plain[i] = e.entry
	}
	sizes := newUsage(plain)
	var errs []error
	for _, e := range entries {
		if err := lifecycle.FromContext(ctx, "download.PruneHub", dir); err != nil {
			return errors.Join(append(errs, err)...)
		}
		old := maxAge > 0 && time.Since(e.used) > maxAge
		if !old && (maxBytes <= 0 || sizes.total <= maxBytes) {
			continue
		}
		removed, err := e.remove()
		if err != nil {
			errs = append(errs, diskError("download.PruneHub", e.dir, err))
		}
		if removed {
			sizes.drop(e.entry)
		}
	}
	return errors.Join(errs...)
}

// remove deletes the revision unless somebody uses it.
func (r revision) remove() (bool, error) {
	h := r.model
	if err := os.MkdirAll(h.locks(), dirMode); err != nil {
		return false, err
	}
	mine := blobsOf(r.dir)
	names := []string{modelLease + leaseSuffix, h.commit + leaseSuffix}
	for _, blob := range mine {
		names = append(names, blob+blobSuffix)
	}
	unlock, err := h.tryAll(names)
	if err != nil || unlock == nil {
		return false, err
	}
	defer unlock()
	root, err := os.OpenRoot(h.dir)
	if err != nil {
		return false, err
	}
	defer root.Close() //nolint:errcheck // a directory has nothing to flush
	return true, errors.Join(h.forget(root), h.drop(root, mine))
}

// tryAll takes the locks, or returns nil where somebody holds one of them.
func (h *hubModel) tryAll(names []string) (unlock func(), err error) {
	var held []*flock.Flock
	release := func() {
		for _, l := range held {
			_ = l.Close() // the kernel lets go of it in any case
		}
	}
	for _, name := range names {
		l := flock.New(filepath.Join(h.locks(), name), flock.SetPermissions(lockMode))
		if ok, err := l.TryLock(); err != nil || !ok {
			release()
			return nil, err
		}
		held = append(held, l)
	}
	return release, nil
}

// forget makes the revision one that is not there: first its refs, and the snapshot at once.
func (h *hubModel) forget(root *os.Root) error {
	var errs []error
	_ = fs.WalkDir(root.FS(), "refs", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil //nolint:nilerr // a model need not have any
		}
		if to, err := root.ReadFile(name); err == nil && strings.TrimSpace(string(to)) == h.commit {
			errs = append(errs, remove(root, name))
		}
		return nil
	})
	if err := errors.Join(errs...); err != nil {
		return err // with a ref left, the snapshot is needed
	}
	gone := path.Join("blobs", stateDir, h.commit+goneSuffix)
	return errors.Join(
		root.MkdirAll(path.Dir(gone), dirMode), root.RemoveAll(gone),
		root.Rename(path.Join("snapshots", h.commit), gone), root.RemoveAll(gone),
		root.RemoveAll(path.Join(".no_exist", h.commit)), remove(root, path.Join("trees", h.commit+".json")),
		remove(root, path.Join(source.HubListings, h.commit+".json")),
	)
}

// drop removes the blobs that no snapshot leads to any more, and with the last of them the
// model.
func (h *hubModel) drop(root *os.Root, mine []string) error {
	if _, err := root.Lstat(path.Join("snapshots", h.commit)); err == nil {
		return nil // it is still there
	}
	needed := map[string]bool{}
	snapshots, err := os.ReadDir(filepath.Join(h.dir, "snapshots"))
	if err != nil {
		return err
	}
	for _, s := range snapshots {
		for _, blob := range blobsOf(filepath.Join(h.dir, "snapshots", s.Name())) {
			needed[blob] = true
		}
	}
	var errs []error
	for _, blob := range mine {
		if needed[blob] {
			continue
		}
		shared := h.sharedBy(blob)
		errs = append(errs, remove(root, path.Join("blobs", blob)))
		if shared != "" {
			errs = append(errs, h.dropShared(shared))
		}
	}
	left, err := os.ReadDir(h.blobs())
	if len(snapshots) == 0 && err == nil && !slices.ContainsFunc(left, func(e fs.DirEntry) bool { return e.Name() != stateDir }) {
		errs = append(errs, os.RemoveAll(h.dir))
	}
	return errors.Join(errs...)
}
