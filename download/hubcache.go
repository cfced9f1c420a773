package download

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/gofrs/flock"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"golang.org/x/sync/errgroup"
)

// lockMode lets other users of a shared cache take the same locks, as its other tools do.
const lockMode = 0o664

// A hubModel is the folder of a model in the cache of the Hugging Face Hub's tools. Its
// files are blobs, named by their digest, and links to those by commit and path.
type hubModel struct {
	dir    string // …/models--ORG--NAME
	commit string
	paths  map[string]source.File // a file of each blob, by the blob's name
}

// hubLease brings the files of man to the cache that the tools of the hub share. Prune does
// not touch it, so nothing has to be protected.
func hubLease(ctx context.Context, m *Manager, src source.HubCached, man *source.Manifest, report func(Progress)) (*Lease, error) {
	dir, ref := src.HubCache()
	files, err := usable(man)
	if err != nil {
		return nil, err
	}
	h := &hubModel{dir: dir, commit: man.Revision, paths: map[string]source.File{}}
	for _, f := range files {
		h.paths[f.Digest.Hex] = f
	}
	if err := os.MkdirAll(h.blobs(), dirMode); err != nil {
		return nil, hubError(dir, err)
	}
	if err := h.fill(ctx, m, src, report); err != nil {
		return nil, err
	}
	if err := h.link(files, ref); err != nil {
		return nil, hubError(dir, err)
	}
	return &Lease{Dir: filepath.Join(dir, "snapshots", h.commit), Manifest: man}, nil
}

func hubError(dir string, err error) error {
	e := diskError("download.Acquire", dir, err)
	if own, ok := errors.AsType[*lifecycle.Error](e); ok {
		own.Hint += ", with HF_HUB_CACHE"
	}
	return e
}

func (h *hubModel) blobs() string { return filepath.Join(h.dir, "blobs") }

// fill brings the blobs that are missing. While it does, it holds their locks, for which the
// hub's tools wait; what those bring meanwhile is checked and not fetched.
func (h *hubModel) fill(ctx context.Context, m *Manager, src source.Source, report func(Progress)) error {
	unlock, err := h.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	blobs, err := h.own(ctx)
	if err != nil {
		return err
	}
	plan, err := m.Plan(ctx, &source.Manifest{URI: h.dir, Files: blobs}, h.blobs())
	if err != nil {
		return err
	}
	return h.named(m.finish(ctx, &blobSource{src, h.paths}, plan, h.renamed(report)))
}

// lock takes the locks of all blobs that are not there, in the order of their names, so
// that two of us never wait for each other. The tools of the hub hold one and wait for none.
func (h *hubModel) lock(ctx context.Context) (unlock func(), err error) {
	dir := filepath.Join(filepath.Dir(h.dir), ".locks", filepath.Base(h.dir))
	if err := os.MkdirAll(dir, dirMode); err != nil {
		return nil, hubError(dir, err)
	}
	var held []*flock.Flock
	unlock = func() {
		for _, l := range held {
			_ = l.Close() // the kernel lets go of it in any case
		}
	}
	for _, name := range h.names() {
		info, err := os.Stat(filepath.Join(h.blobs(), name))
		if err == nil && info.Size() == h.paths[name].Size {
			continue
		}
		l := flock.New(filepath.Join(dir, name+".lock"), flock.SetPermissions(lockMode))
		if err := poll(ctx, l.TryLock, func() {}); err != nil {
			unlock()
			return nil, lockError(ctx, dir, err)
		}
		held = append(held, l)
	}
	return unlock, nil
}

func (h *hubModel) names() []string {
	names := make([]string, 0, len(h.paths))
	for name := range h.paths {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

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

// link makes the paths of the commit lead to the blobs, and then the ref to the commit.
func (h *hubModel) link(files []source.File, ref string) error {
	root, err := os.OpenRoot(h.dir)
	if err != nil {
		return err
	}
	defer root.Close() //nolint:errcheck // a directory has nothing to flush
	for _, f := range files {
		name := path.Join("snapshots", h.commit, f.Path)
		target := strings.Repeat("../", strings.Count(name, "/")) + "blobs/" + f.Digest.Hex
		if err := symlink(root, target, name); err != nil {
			return err
		}
	}
	if ref == "" {
		return nil
	}
	name := path.Join("refs", ref)
	if was, err := root.ReadFile(name); err == nil && string(was) == h.commit {
		return nil
	}
	return arrive(root, name, func(next string) error { return root.WriteFile(next, []byte(h.commit), fileMode) })
}

// symlink makes name a link to target, whatever it was.
func symlink(root *os.Root, target, name string) error {
	if now, err := root.Readlink(name); err == nil && now == target {
		return nil
	}
	return arrive(root, name, func(next string) error { return root.Symlink(target, next) })
}

// arrive puts in place of name what create makes, without a moment at which it is gone or
// half done.
func arrive(root *os.Root, name string, create func(next string) error) error {
	state := path.Join("blobs", stateDir)
	for _, dir := range []string{state, path.Dir(name)} {
		if err := root.MkdirAll(dir, dirMode); err != nil {
			return err
		}
	}
	next := path.Join(state, rand.Text()+".next") // others may be at the same name
	if err := create(next); err != nil {
		return err
	}
	if err := root.Rename(next, name); err != nil {
		return errors.Join(err, remove(root, next))
	}
	return nil
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
