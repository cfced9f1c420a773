package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
)

// HubCache implements source.HubCached.
func (r *repo) HubCache() (dir, ref string) {
	if r.set.cache == "" {
		return "", ""
	}
	if ref = r.loc.revision; r.loc.pinned() {
		ref = ""
	}
	return filepath.Join(r.set.cache, "models--"+strings.ReplaceAll(r.loc.id, "/", "--")), ref
}

// resolveOffline makes a manifest of what the cache has of the revision.
func (r *repo) resolveOffline(ctx context.Context) (*source.Manifest, error) {
	if err := lifecycle.FromContext(ctx, opResolve, r.loc.String()); err != nil {
		return nil, err
	}
	sha := r.cachedCommit(r.loc.revision)
	if sha == "" {
		return nil, r.offlineError(opResolve, lifecycle.NotFound, errors.New("the cache has no such model or revision"))
	}
	dir, _ := r.HubCache()
	files, err := snapshot(dir, sha)
	if err != nil {
		return nil, r.offlineError(opResolve, lifecycle.NotFound, err)
	}
	m, err := source.NewManifest(r.loc.canonical(), sha, files)
	if err != nil {
		return nil, err
	}
	r.pin(r.loc.id, m)
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
	dir, _ := r.HubCache()
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
	dir, _ := r.HubCache()
	return filepath.Join(dir, "snapshots", sha, filepath.FromSlash(file))
}

func (r *repo) offlineError(op string, kind lifecycle.Kind, err error) error {
	return &lifecycle.Error{
		Op: op, Kind: kind, Target: r.loc.String(), Err: fmt.Errorf("%s forbids to ask the hub, and %w", r.set.offline, err),
		Hint: "unset " + r.set.offline + ", download the model before, or give its directory as the source",
	}
}

// snapshot lists the files of a commit: all of them where a listing was kept, else those
// that are there.
func snapshot(dir, sha string) ([]source.File, error) {
	data, err := os.ReadFile(filepath.Join(dir, "trees", sha+".json")) //nolint:gosec // sha is a commit
	var files []source.File
	if err == nil {
		if files, err = parseKept(data); err == nil {
			return files, nil
		}
	}
	root := filepath.Join(dir, "snapshots", sha)
	err = filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		f, err := linked(root, name)
		files = append(files, f)
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		err = errors.New("the cache has no such revision")
	}
	return files, err
}

// linked makes a file of a link, whose target is named after its digest.
func linked(root, name string) (source.File, error) {
	rel, err := filepath.Rel(root, name)
	if err != nil {
		return source.File{}, err
	}
	target, linkErr := os.Readlink(name)
	info, err := os.Stat(name)
	if linkErr != nil || err != nil {
		return source.File{}, fmt.Errorf("its file %s is no link to a blob", filepath.ToSlash(rel))
	}
	return named(filepath.ToSlash(rel), path.Base(filepath.ToSlash(target)), info.Size())
}

// named makes a file of a blob's name.
func named(file, blob string, size int64) (source.File, error) {
	f := source.File{Path: file, Size: size, Version: blob, Digest: source.Digest{Algorithm: "git-sha1", Hex: blob}}
	switch {
	case sha256Hex.MatchString(blob):
		f.Digest.Algorithm = "sha256"
	case !commitID.MatchString(blob):
		return source.File{}, fmt.Errorf("its file %s has no digest", file)
	}
	return f, nil
}

// parseKept reads the listing that the tools of the hub keep beside a snapshot.
func parseKept(data []byte) ([]source.File, error) {
	var tree struct {
		Version int `json:"format_version"`
		Files   map[string]struct {
			Size   int64  `json:"size"`
			Blob   string `json:"blob_id"`
			SHA256 string `json:"lfs_sha256"`
		} `json:"files"`
	}
	if err := json.Unmarshal(data, &tree); err != nil {
		return nil, err
	}
	if tree.Version != 1 {
		return nil, errors.New("the listing has another version")
	}
	files := make([]source.File, 0, len(tree.Files))
	for name, x := range tree.Files {
		blob := x.Blob
		if x.SHA256 != "" {
			blob = x.SHA256
		}
		f, err := named(name, blob, x.Size)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
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
