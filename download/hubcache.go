package download

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"golang.org/x/sync/errgroup"
)

// A hubModel is the folder of a model in the cache of the Hugging Face Hub's tools. Its
// files are blobs, named by their digest, and links to those by commit and path.
type hubModel struct {
	uri    string
	dir    string // …/models--ORG--NAME
	commit string
	cache  source.HubCache
	paths  map[string]source.File // a file of each blob, by the blob's name
}

// hubLease brings the files of man to the cache that the tools of the hub share.
func hubLease(ctx context.Context, m *Manager, cache source.HubCache, src source.Source, man *source.Manifest,
	report func(Progress), a *Arrival,
) (*Lease, error) {
	files, err := usable(man)
	if err != nil {
		return nil, err
	}
	h := &hubModel{uri: man.URI, dir: cache.Dir, commit: man.Revision, cache: cache, paths: map[string]source.File{}}
	for _, f := range files {
		h.paths[f.Digest.Hex] = f
	}
	l := &Lease{Dir: filepath.Join(h.dir, "snapshots", h.commit), Manifest: man}
	if err = h.enter(ctx, l, report); err == nil {
		err = h.bring(ctx, m, src, files, report, a)
	}
	if err == nil || isReadOnly(err) && h.intact(ctx, files) {
		return l, nil
	}
	_ = l.Close()
	return nil, err
}

// bring fetches what is missing, and makes the snapshot of it. Meanwhile nothing of the
// model is pruned.
func (h *hubModel) bring(ctx context.Context, m *Manager, src source.Source, files []source.File, report func(Progress), a *Arrival) error {
	busy, err := h.share(ctx, modelLease, report)
	if err != nil {
		return err
	}
	defer busy.Close() //nolint:errcheck // the kernel lets go of it in any case
	if err := h.fill(ctx, m, src, report, a); err != nil {
		return err
	}
	if err := h.link(files); err != nil {
		return hubError(h.dir, err)
	}
	return nil
}

// intact reports whether a cache that cannot be written to has all the files.
func (h *hubModel) intact(ctx context.Context, files []source.File) bool {
	cache, err := os.OpenRoot(filepath.Dir(h.dir))
	if err != nil {
		return false
	}
	defer cache.Close() //nolint:errcheck // nothing was written
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, f := range files {
		f.Path = path.Join(filepath.Base(h.dir), "snapshots", h.commit, f.Path)
		group.Go(func() error { return verify(ctx, cache, f) })
	}
	return group.Wait() == nil
}

func isReadOnly(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)
}

func hubError(dir string, err error) error {
	e := diskError("download.Acquire", dir, err)
	if own, ok := errors.AsType[*lifecycle.Error](e); ok {
		own.Hint += ", with HF_HUB_CACHE"
	}
	return e
}

// fill brings the blobs that are missing. While it does, it holds their locks, for which the
// hub's tools wait; what those bring meanwhile is checked and not fetched.
func (h *hubModel) fill(ctx context.Context, m *Manager, src source.Source, report func(Progress), a *Arrival) error {
	held, unlock, err := h.lock(ctx, report)
	if err != nil {
		return err
	}
	defer unlock()
	h.adopt(held)
	blobs, err := h.own(ctx)
	if err != nil {
		return err
	}
	plan, err := m.Plan(ctx, &source.Manifest{URI: h.uri, Files: blobs}, h.blobs())
	if err != nil {
		return err
	}
	if plan.arrival = a; a != nil {
		a.name = func(f source.File) string { return f.Digest.Hex }
	}
	if err := h.named(m.finish(ctx, &blobSource{src, h.paths}, plan, h.renamed(report))); err != nil {
		return err
	}
	h.sweep(held)
	return nil
}

func (h *hubModel) names() []string { return slices.Sorted(maps.Keys(h.paths)) }

// own returns the blobs that are for us to bring: not those that are links into the store
// that all models share, where their bytes are right.
func (h *hubModel) own(ctx context.Context) ([]source.File, error) {
	cache, err := os.OpenRoot(filepath.Dir(h.dir))
	if err != nil {
		return nil, hubError(h.dir, err)
	}
	defer cache.Close() //nolint:errcheck // a directory has nothing to flush
	names := h.names()
	blobs := make([]source.File, len(names))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, name := range names {
		group.Go(func() error {
			f := h.paths[name]
			f.Path = path.Join(filepath.Base(h.dir), "blobs", name)
			info, err := cache.Lstat(f.Path)
			if err == nil && info.Mode()&fs.ModeSymlink != 0 && verify(ctx, cache, f) == nil {
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

// named puts the path of a file into an error in place of its blob's name.
func (h *hubModel) named(err error) error {
	if e, ok := errors.AsType[*lifecycle.Error](err); ok {
		if f, ok := h.paths[e.Target]; ok {
			e.Target = f.Path
		}
	}
	return err
}

// renamed does the same for the progress.
func (h *hubModel) renamed(report func(Progress)) func(Progress) {
	if report == nil {
		return nil
	}
	return func(p Progress) {
		current := make([]string, len(p.Current))
		for i, name := range p.Current {
			current[i] = h.paths[name].Path
		}
		slices.Sort(current)
		p.Current = current
		report(p)
	}
}

// A blobSource reads files by the names of their blobs.
type blobSource struct {
	source.Source
	paths map[string]source.File
}

// Open implements source.Source.
func (s *blobSource) Open(ctx context.Context, f source.File, off, n int64) (io.ReadCloser, error) {
	return s.Source.Open(ctx, s.paths[f.Path], off, n)
}
