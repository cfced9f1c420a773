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
	return r.present(sha, wanted)
}

// present leaves out the files that the cache lacks, as who downloaded a choice of them wanted it.
// Without those that every engine needs there is no model.
func (r *repo) present(sha string, m *source.Manifest) (*source.Manifest, error) {
	var needed string
	there := m.Filter(func(f source.File) bool {
		_, err := os.Stat(r.cachedPath(sha, f.Path))
		if err != nil && needed == "" && isNeeded(f.Path) {
			needed = f.Path
		}
		return err == nil
	})
	switch {
	case needed != "":
		return nil, r.offlineError(opResolve, lifecycle.MissingFile, errors.New("the cache has no complete copy: "+needed+" is missing"))
	case len(there.Files) == 0:
		return nil, r.offlineError(opResolve, lifecycle.MissingFile, errors.New("the cache has no file of it"))
	}
	return there, nil
}

// isNeeded reports of a file that was chosen whether there is no model without it. Of others
// source.CheckModel knows.
func isNeeded(name string) bool {
	return name == "config.json" || isWeights(formatOf(name)) || strings.HasSuffix(name, ".index.json")
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
	hint := "unset " + r.set.offline + ", download the model before, or give its directory as the source"
	if r.dir() == "" {
		hint = "this user has no home: set HF_HOME to the folder with the cache, or " + hint
	}
	return &lifecycle.Error{
		Op: op, Kind: kind, Target: r.loc.String(), Err: fmt.Errorf("%s forbids to ask the hub, and %w", r.set.offline, err), Hint: hint,
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
	if linkErr != nil || err != nil { // see inPlace
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
