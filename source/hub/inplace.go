package hub

import (
	"context"
	"io"
	"io/fs"
	"path/filepath"

	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/source/local"
)

// An inPlace is a snapshot that is read where it is, offline: it has files in place of links to
// blobs, and no listing, as a cache that was copied without its links, or that
// from_pretrained made with HF_HUB_DISABLE_SYMLINKS. Nothing tells the digests of the files, so
// that they are taken as those of a directory are.
type inPlace struct {
	*repo
	dir    *local.Dir
	commit string
}

var _ source.InPlace = (*inPlace)(nil)

// inPlace returns the snapshot of the revision where it is such a one, else nil.
func (r *repo) inPlace() *inPlace {
	sha := r.cachedCommit(r.loc.revision)
	if r.set.offline == "" || sha == "" || readKept(r.dir(), sha) != nil {
		return nil
	}
	root := r.cachedPath(sha, "")
	if !hasFiles(root) {
		return nil
	}
	dir, err := local.New(root)
	if err != nil {
		return nil
	}
	return &inPlace{repo: r, dir: dir, commit: sha}
}

// hasFiles reports whether there are files themselves below root.
func hasFiles(root string) bool {
	found := false
	_ = filepath.WalkDir(root, func(_ string, d fs.DirEntry, err error) error { // what is not there has none
		if found = err == nil && d.Type().IsRegular(); found {
			return fs.SkipAll
		}
		return err
	})
	return found
}

// LocalDir implements source.InPlace.
func (p *inPlace) LocalDir() string { return p.dir.LocalDir() }

// Resolve implements source.Source.
func (p *inPlace) Resolve(ctx context.Context) (*source.Manifest, error) {
	here, err := p.dir.Resolve(ctx)
	if err != nil {
		return nil, err
	}
	m, err := source.NewManifest(p.loc.canonical(), p.commit, here.Files)
	if err != nil {
		return nil, err
	}
	p.pin(p.loc.id, m, nil)
	return p.choose(ctx, m)
}

// Open implements source.Source.
func (p *inPlace) Open(ctx context.Context, f source.File, off, n int64) (io.ReadCloser, error) {
	return p.dir.Open(ctx, f, off, n)
}
