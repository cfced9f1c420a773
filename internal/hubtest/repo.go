package hubtest

import (
	"crypto/sha1" //nolint:gosec // git names its blobs by it
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"path"
	"slices"
)

const (
	mainRef = "main"
	// lfsAbove is the size, in bytes, above which a file is stored by LFS whatever its name.
	lfsAbove = 2 << 20
)

// Access says who may read a repository.
type Access struct {
	Private  bool // only Token sees that it exists
	Gated    bool // everybody may list it, only Token may read its files
	Disabled bool // nobody may
}

// A repo holds every commit that was ever made, until it is squashed.
type repo struct {
	access  Access
	refs    map[string]string // to commits
	commits map[string]map[string]file
}

func newRepo() *repo {
	return &repo{refs: map[string]string{}, commits: map[string]map[string]file{}}
}

// commit changes main. A commit's id depends on the files alone.
func (r *repo) commit(change func(map[string]file)) string {
	files := maps.Clone(r.commits[r.refs[mainRef]])
	if files == nil {
		files = map[string]file{}
	}
	change(files)
	h := sha1.New() //nolint:gosec // see the import
	for _, p := range slices.Sorted(maps.Keys(files)) {
		_, _ = fmt.Fprintf(h, "%q %s\n", p, files[p].oid)
	}
	sha := hex.EncodeToString(h.Sum(nil))
	r.commits[sha], r.refs[mainRef] = files, sha
	return sha
}

func (r *repo) squash() {
	kept := slices.Collect(maps.Values(r.refs))
	maps.DeleteFunc(r.commits, func(sha string, _ map[string]file) bool { return !slices.Contains(kept, sha) })
}

// find returns the commit that a revision names, or "".
func (r *repo) find(revision string) string {
	if sha, ok := r.refs[revision]; ok {
		return sha
	}
	if _, ok := r.commits[revision]; ok {
		return revision
	}
	return ""
}

// A file is as git sees it. What LFS stores is a pointer in git.
type file struct {
	path   string
	data   []byte
	oid    string // of the git blob
	sha256 string // of the data, where LFS has it
}

func newFile(name string, data []byte) file {
	f := file{path: name, data: data}
	if !large(name, len(data)) {
		f.oid = blobID(data)
		return f
	}
	sum := sha256.Sum256(data)
	f.sha256 = hex.EncodeToString(sum[:])
	f.oid = blobID(fmt.Appendf(nil, "version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %d\n", f.sha256, len(data)))
	return f
}

func large(name string, size int) bool {
	return size > lfsAbove || slices.Contains([]string{".safetensors", ".bin", ".gguf", ".pt", ".onnx"}, path.Ext(name))
}

// etag is what clients name the blob by.
func (f file) etag() string {
	if f.sha256 != "" {
		return f.sha256
	}
	return f.oid
}

// xet is what Xet, the hub's other way to large files, would name it by.
func (f file) xet() string {
	sum := sha256.Sum256([]byte("xet " + f.sha256))
	return hex.EncodeToString(sum[:])
}

func blobID(data []byte) string {
	h := sha1.New() //nolint:gosec // see the import
	_, _ = fmt.Fprintf(h, "blob %d\x00", len(data))
	_, _ = h.Write(data)
	return hex.EncodeToString(h.Sum(nil))
}
