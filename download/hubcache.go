package download

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
)

// A hubModel is the folder of a model in the cache of the Hugging Face Hub's tools. Its
// files are blobs, named by their digest, and links to those by commit and path.
type hubModel struct {
	uri    string
	dir    string // …/models--ORG--NAME
	commit string
	cache  source.HubCache
	paths  map[string]source.File // a file of each blob, by the blob's name
	proofs proofs

	manager  *Manager
	lockless bool // the file system has no locks
}

// hubLease brings the files of man to the cache that the tools of the hub share.
func hubLease(ctx context.Context, m *Manager, cache source.HubCache, src source.Source, man *source.Manifest,
	report func(Progress), a *Arrival,
) (*Lease, error) {
	files, err := usable(man)
	if err == nil {
		err = checkDigests(files)
	}
	if err != nil {
		return nil, err
	}
	h := &hubModel{
		uri: man.URI, dir: cache.Dir, commit: man.Revision, cache: cache, paths: map[string]source.File{}, manager: m,
	}
	for _, f := range files {
		h.paths[f.Digest.Hex] = f
	}
	l := &Lease{Dir: filepath.Join(h.dir, "snapshots", h.commit), Manifest: man}
	if err = h.enter(ctx, l, report); err == nil {
		err = h.bring(ctx, src, files, report, a)
	}
	if err == nil || isReadOnly(err) && h.intact(ctx, files) {
		return l, nil
	}
	_ = l.Close()
	return nil, err
}

// bring fetches what is missing, and makes the snapshot of it. Meanwhile nothing of the
// model is pruned.
func (h *hubModel) bring(ctx context.Context, src source.Source, files []source.File, report func(Progress), a *Arrival) error {
	h.sweepOurs()
	busy, err := h.share(ctx, modelLease, report)
	if err != nil {
		return err
	}
	defer busy.Close() //nolint:errcheck // the kernel lets go of it in any case
	if err := h.fill(ctx, src, report, a); err != nil {
		return err
	}
	if err := h.link(files); err != nil {
		return hubError(h.dir, err)
	}
	return nil
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

// fill brings the blobs that are missing. Until each is there it holds their locks, for which
// the hub's tools wait; what those bring meanwhile is checked and not fetched.
func (h *hubModel) fill(ctx context.Context, src source.Source, report func(Progress), a *Arrival) error {
	held, err := h.lock(ctx, report)
	if err != nil {
		return err
	}
	defer func() { held.release(held.names()...) }()
	h.adopt()
	blobs, err := h.own(ctx)
	if err != nil {
		return err
	}
	plan, err := h.manager.Plan(ctx, &source.Manifest{URI: h.uri, Files: blobs}, h.blobs())
	if err != nil {
		return err
	}
	h.proofs.found(plan.found...)
	plan.found = h.proofs.all()
	plan.published = func(f source.File) { held.release(f.Path) }
	held.keep(plan.names())
	if plan.arrival = a; a != nil {
		a.name = func(f source.File) string { return f.Digest.Hex }
	}
	if err := h.named(h.manager.finish(ctx, &blobSource{src, h.paths}, plan, h.renamed(report))); err != nil {
		return err
	}
	held.release(held.names()...)
	h.sweepAll()
	return nil
}

func (h *hubModel) names() []string { return slices.Sorted(maps.Keys(h.paths)) }

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
