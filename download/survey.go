package download

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/spinup-llm/spinup/download/internal/journal"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
)

// A finding is what a directory holds of one file.
type finding struct {
	file      source.File
	complete  bool
	found     *journal.Verified // complete by its digest, but not yet known as verified
	have      []journal.Segment // of the partial file
	allocated int64             // bytes of disk that the partial file takes
}

func (f finding) missing() int64 {
	if f.complete {
		return 0
	}
	n := f.file.Size
	for _, s := range f.have {
		n -= s.Len
	}
	return n
}

// survey looks at each file in dir and writes nothing. What is in known counts as verified,
// and is found anew. With rehash it reads the other files that are not known as verified and
// have a digest; without, it takes them for missing.
func survey(ctx context.Context, dir string, files []source.File, known []journal.Verified, rehash bool) ([]finding, error) {
	findings := make([]finding, len(files))
	for i, f := range files {
		findings[i] = finding{file: f}
	}
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return findings, nil
	} else if err != nil {
		return nil, diskError("download.Plan", dir, err)
	}
	defer root.Close() //nolint:errcheck // nothing was written
	verified, _ := readVerified(root)
	extra := make(map[string]journal.Verified, len(known))
	for _, v := range known {
		extra[v.Path] = v
	}
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range findings {
		group.Go(func() error {
			findings[i].look(ctx, root, verified, extra, rehash)
			return ctx.Err()
		})
	}
	if err := group.Wait(); err != nil {
		return nil, lifecycle.FromContext(ctx, "download.Plan", dir)
	}
	return findings, nil
}

func readVerified(root *os.Root) (records map[string]journal.Verified, lines int) {
	f, err := root.Open(verifiedName)
	if err != nil {
		return nil, 0
	}
	defer f.Close() //nolint:errcheck // nothing was written
	return journal.ReadVerified(f)
}

// look fills in what is found. What cannot be read counts as missing: the attempt to
// write it says why.
func (f *finding) look(ctx context.Context, root *os.Root, verified, known map[string]journal.Verified, rehash bool) {
	info, ok := regular(root, f.file.Path)
	if ok && info.Size() == f.file.Size {
		now := record(f.file, info)
		if agrees(verified[f.file.Path], now) {
			f.complete = true
			return
		}
		if agrees(known[f.file.Path], now) || rehash && f.hashes(ctx, root) {
			f.complete, f.found = true, &now
			return
		}
	}
	f.lookPartial(ctx, root)
}

// record says that the file that info describes holds the bytes of f.
func record(f source.File, info fs.FileInfo) journal.Verified {
	return journal.Verified{
		Path: f.Path, Size: info.Size(), MTime: info.ModTime().UnixNano(),
		Version: f.Version, Digest: f.Digest.String(),
	}
}

// agrees reports whether what was verified is what is wanted now. Equal digests mean equal
// bytes; without one the version decides.
func agrees(was, now journal.Verified) bool {
	if was.Path == "" || was.Size != now.Size || was.MTime != now.MTime {
		return false
	}
	if now.Digest != "" {
		return was.Digest == now.Digest
	}
	return was.Version == now.Version
}

func (f *finding) hashes(ctx context.Context, root *os.Root) bool {
	r, err := root.Open(f.file.Path)
	if err != nil {
		return false
	}
	defer r.Close() //nolint:errcheck // nothing was written
	sum, err := sumOf(ctx, r, f.file)
	return err == nil && f.file.Digest.Equal(sum)
}

// lookPartial takes over the segments of a partial file that is of this very version.
func (f *finding) lookPartial(ctx context.Context, root *os.Root) {
	info, ok := regular(root, partialName(f.file.Path))
	if !ok {
		return
	}
	f.allocated = allocated(info)
	j, err := root.Open(journalName(f.file.Path))
	if err != nil {
		return
	}
	defer j.Close() //nolint:errcheck // nothing was written
	was, segments, err := journal.ReadPartial(j)
	now := header(f.file)
	known := now.Boot != "" && now.Boot == was.Boot
	if was.Boot = now.Boot; err != nil || was != now || !pinned(f.file) {
		return
	}
	for _, s := range segments {
		if s.End() <= info.Size() && (known || intact(ctx, root, f.file, s)) {
			f.have = append(f.have, s)
		}
	}
}
