package source

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"slices"
)

// A Manifest is what a reference meant at one moment.
type Manifest struct {
	URI      string // canonical and without secrets
	Revision string // commit hash, generation, or digest of the listing
	Files    []File // sorted by Path
}

// NewManifest is for drivers: it sorts files, refuses names that CheckPath rejects and
// names that cannot stand beside each other on a disk, and makes the revision a digest of
// the listing where that is empty. All that is wrong is reported, joined, with kind Invalid.
func NewManifest(uri, revision string, files []File) (*Manifest, error) {
	m := &Manifest{URI: uri, Revision: revision, Files: slices.Clone(files)}
	slices.SortFunc(m.Files, func(a, b File) int { return cmp.Compare(a.Path, b.Path) })
	if err := m.check(); err != nil {
		return nil, err
	}
	if m.Revision == "" {
		m.Revision = m.digest()
	}
	return m, nil
}

// Size is the sum of the sizes of all files, in bytes.
func (m *Manifest) Size() int64 {
	var sum int64
	for _, f := range m.Files {
		sum += f.Size
	}
	return sum
}

// File returns the file at path, and whether there is one.
func (m *Manifest) File(path string) (File, bool) {
	i, ok := slices.BinarySearchFunc(m.Files, path, func(f File, p string) int { return cmp.Compare(f.Path, p) })
	if !ok {
		return File{}, false
	}
	return m.Files[i], true
}

// Filter returns a copy with the files for which keep is true.
func (m *Manifest) Filter(keep func(File) bool) *Manifest {
	c := &Manifest{URI: m.URI, Revision: m.Revision}
	for _, f := range m.Files {
		if keep(f) {
			c.Files = append(c.Files, f)
		}
	}
	return c
}

func (m *Manifest) check() error {
	names := make(map[string]bool, len(m.Files))
	for _, f := range m.Files {
		names[f.Path] = true
	}
	var errs []error
	for i, f := range m.Files {
		fault := pathFault(f.Path)
		switch {
		case fault != "":
		case i > 0 && m.Files[i-1].Path == f.Path:
			fault = "it is listed twice"
		case f.Size < 0:
			fault = "its size is negative"
		default:
			fault = folderFault(f.Path, names)
		}
		if fault != "" {
			errs = append(errs, badName(fmt.Sprintf("%s: %q", m.URI, f.Path), fault))
		}
	}
	return errors.Join(errs...)
}

// folderFault says that one of p's folders is a file as well: a bucket can hold both.
func folderFault(p string, names map[string]bool) string {
	for dir := path.Dir(p); dir != "."; dir = path.Dir(dir) {
		if names[dir] {
			return fmt.Sprintf("its folder %q is a file as well", dir)
		}
	}
	return ""
}

// digest identifies the listing: any change of a name, size, version or digest changes it.
func (m *Manifest) digest() string {
	h := sha256.New()
	for _, f := range m.Files {
		_, _ = fmt.Fprintf(h, "%q %d %q %q\n", f.Path, f.Size, f.Version, f.Digest)
	}
	return hex.EncodeToString(h.Sum(nil))
}
