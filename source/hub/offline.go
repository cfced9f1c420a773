package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
)

// resolveOffline makes a manifest of what the cache has of the revision.
func (r *repo) resolveOffline(ctx context.Context) (*source.Manifest, error) {
	if err := lifecycle.FromContext(ctx, opResolve, r.loc.String()); err != nil {
		return nil, err
	}
	sha := r.cachedCommit(r.loc.revision)
	if sha == "" {
		return nil, r.offlineError(opResolve, lifecycle.NotFound, errors.New("the cache has no such model or revision"))
	}
	all, err := snapshot(r.dir(), sha)
	if err != nil {
		return nil, r.offlineError(opResolve, lifecycle.NotFound, err)
	}
	m, err := r.manifest(r.loc.id, sha, all)
	if err != nil {
		return nil, err
	}
	wanted, err := r.choose(ctx, m)
	if err != nil {
		return nil, err
	}
	for _, f := range wanted.Files {
		if _, err := os.Stat(r.cachedPath(sha, f.Path)); err != nil {
			return nil, r.offlineError(opResolve, lifecycle.MissingFile, errors.New("the cache has no complete copy: "+f.Path+" is missing"))
		}
	}
	return wanted, nil
}

// cachedCommit returns what the revision meant when it was downloaded, or "".
func (r *repo) cachedCommit(revision string) string {
	dir := r.dir()
	if dir == "" {
		return ""
	}
	if commitID.MatchString(revision) {
		return revision
	}
	data, err := os.ReadFile(filepath.Join(dir, "refs", filepath.FromSlash(revision))) //nolint:gosec // the name was checked
	if sha := strings.TrimSpace(string(data)); err == nil && commitID.MatchString(sha) {
		return sha
	}
	return ""
}

func (r *repo) cachedPath(sha, file string) string {
	return filepath.Join(r.dir(), "snapshots", sha, filepath.FromSlash(file))
}

func (r *repo) offlineError(op string, kind lifecycle.Kind, err error) error {
	return &lifecycle.Error{
		Op: op, Kind: kind, Target: r.loc.String(), Err: fmt.Errorf("%s forbids to ask the hub, and %w", r.set.offline, err),
		Hint: "unset " + r.set.offline + ", download the model before, or give its directory as the source",
	}
}

// snapshot lists the files of a commit: all of them where a listing was kept, else those
// that are there.
func snapshot(dir, sha string) (listing, error) {
	all := readKept(dir, sha)
	if all != nil {
		return all, nil
	}
	root := filepath.Join(dir, "snapshots", sha)
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		e, err := linked(root, name)
		all = append(all, e)
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		err = errors.New("the cache has no such revision")
	}
	return all, err
}

// linked makes an entry of a link, whose target is named after its digest.
func linked(root, name string) (entry, error) {
	rel, err := filepath.Rel(root, name)
	if err != nil {
		return entry{}, err
	}
	target, linkErr := os.Readlink(name)
	info, err := os.Stat(name)
	e := entry{Path: filepath.ToSlash(rel), OID: filepath.Base(target)}
	if linkErr != nil || err != nil {
		return entry{}, fmt.Errorf("its file %s is no link to a blob", e.Path)
	}
	e.Size = info.Size()
	if sha256Hex.MatchString(e.OID) {
		e.LFS = &lfs{OID: e.OID, Size: e.Size}
	}
	if !e.valid() {
		return entry{}, fmt.Errorf("its file %s has no digest", e.Path)
	}
	return e, nil
}

// openOffline reads the copy in the cache, which whoever downloaded it has to have checked.
func (r *repo) openOffline(ctx context.Context, f source.File, off, n int64) (io.ReadCloser, error) {
	_, _, sha := r.pinOf(f)
	if err := lifecycle.FromContext(ctx, opRead, r.loc.String()); err != nil {
		return nil, err
	}
	file, err := os.Open(r.cachedPath(r.cachedCommit(sha), f.Path))
	if err != nil {
		return nil, r.offlineError(opRead, lifecycle.MissingFile, errors.New("the cache has no "+f.Path))
	}
	if info, err := file.Stat(); err != nil || info.Size() != f.Size {
		_ = file.Close()
		return nil, r.offlineError(opRead, lifecycle.Corrupt, errors.New("the cache has another "+f.Path))
	}
	return struct {
		io.Reader
		io.Closer
	}{io.NewSectionReader(file, off, n), file}, nil
}
