package download

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"
	"github.com/spinup-llm/spinup/source"
)

const (
	// lockMode lets other users of a shared cache take the same locks, as its other tools do.
	lockMode = 0o664
	// modelLease is held, shared, by whoever adds to a model, so that what it counts on stays.
	modelLease = "model"
	// leaseSuffix tells our locks from those of blobs, which all tools take.
	leaseSuffix = ".lease"
	blobSuffix  = ".lock"
	// theirPartial is how the partial files of the hub's tools end.
	theirPartial = ".incomplete"
)

func (h *hubModel) blobs() string { return filepath.Join(h.dir, "blobs") }
func (h *hubModel) locks() string {
	return filepath.Join(filepath.Dir(h.dir), ".locks", filepath.Base(h.dir))
}

// enter makes the folders, and the lease one that keeps the revision from being pruned.
func (h *hubModel) enter(ctx context.Context, l *Lease, report func(Progress)) error {
	for _, dir := range []string{h.blobs(), h.locks()} {
		if err := os.MkdirAll(dir, dirMode); err != nil {
			return hubError(h.dir, err)
		}
	}
	tag(filepath.Dir(h.dir))
	lock, err := h.share(ctx, h.commit, report)
	if err != nil {
		return err
	}
	used(lock)
	l.lock = lock
	return nil
}

// share takes one of our locks together with others who want the same to stay. Where there are
// no locks, it returns one that holds nothing.
func (h *hubModel) share(ctx context.Context, name string, report func(Progress)) (*flock.Flock, error) {
	l := flock.New(filepath.Join(h.locks(), name+leaseSuffix), flock.SetPermissions(lockMode))
	held, err := h.manager.take(ctx, h.dir, l.TryRLock, waitingFor(report, "a prune of "+h.dir))
	if err != nil {
		return nil, lockError(ctx, h.dir, err)
	}
	h.lockless = !held
	return l, nil
}

// lock takes the locks of all blobs that are not there, in the order of their names, so
// that two of us never wait for each other. The tools of the hub hold one and wait for none.
// While it waits, it reports what the others have brought, and holds on to no lock of that.
func (h *hubModel) lock(ctx context.Context, report func(Progress)) (*heldBlobs, error) {
	held := new(heldBlobs)
	if h.lockless { // there, Python's tools take the mere file for a lock that is held
		return held, nil
	}
	for _, name := range h.names() {
		if h.has(name) {
			continue
		}
		l := flock.New(filepath.Join(h.locks(), name+blobSuffix), flock.SetPermissions(lockMode))
		err := poll(ctx, l.TryLock, func() {
			if report != nil {
				report(h.progress(ctx, name))
			}
		})
		if err != nil {
			held.release(held.names()...)
			return nil, lockError(ctx, h.locks(), err)
		}
		if held.add(name, l); h.has(name) { // it was another who brought it
			held.release(name)
		}
	}
	return held, nil
}

// has reports whether the blob is there, by its size.
func (h *hubModel) has(name string) bool {
	info, err := os.Stat(filepath.Join(h.blobs(), name))
	return err == nil && info.Size() == h.paths[name].Size
}

// progress is what there is while the blob awaited is for another to bring, be it one of us
// or another tool.
func (h *hubModel) progress(ctx context.Context, awaited string) Progress {
	path := h.paths[awaited].Path
	p := Progress{Files: len(h.paths), Current: []string{path}, Waiting: "another download of " + path}
	var files []source.File
	theirs := h.partials()
	for name, f := range h.paths {
		p.Bytes += f.Size
		if h.has(name) {
			p.FilesDone++
			p.BytesDone += f.Size
			continue
		}
		p.BytesDone += min(theirs[name], f.Size)
		if f.Path = name; theirs[name] == 0 {
			files = append(files, f)
		}
	}
	findings, err := survey(ctx, h.blobs(), files, nil, glance)
	if err != nil {
		return p
	}
	for _, f := range findings {
		p.BytesDone += f.file.Size - f.missing()
	}
	return p
}

// partials returns how much other tools have of blobs, in bytes.
func (h *hubModel) partials() map[string]int64 {
	sizes := map[string]int64{}
	entries, _ := os.ReadDir(h.blobs()) // what cannot be read is not shown
	for _, e := range entries {
		name, _, _ := strings.Cut(e.Name(), ".")
		if info, err := e.Info(); err == nil && strings.HasSuffix(e.Name(), theirPartial) {
			sizes[name] = max(sizes[name], info.Size())
		}
	}
	return sizes
}
