package source

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"slices"

	"github.com/spinup-llm/spinup/lifecycle"
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
	var errs []error
	for _, f := range m.Files {
		if err := CheckPath(f.Path); err != nil {
			errs = append(errs, err)
		} else if names[f.Path] {
			errs = append(errs, m.clash(f.Path, "it is listed twice"))
		}
		if f.Size < 0 {
			errs = append(errs, m.clash(f.Path, "its size is negative"))
		}
		names[f.Path] = true
	}
	for _, f := range m.Files {
		for dir := path.Dir(f.Path); dir != "." && dir != "/"; dir = path.Dir(dir) {
			if names[dir] {
				errs = append(errs, m.clash(dir, fmt.Sprintf("it is a file and the folder of %q", f.Path)))
			}
		}
	}
	return errors.Join(errs...)
}

func (m *Manifest) clash(file, reason string) error {
	return &lifecycle.Error{
		Op: "source.Resolve", Kind: lifecycle.Invalid, Target: m.URI + ": " + fmt.Sprintf("%q", file),
		Err: errors.New(reason), Hint: "rename or remove that file",
	}
}

// digest identifies the listing: any change of a name, size, version or digest changes it.
func (m *Manifest) digest() string {
	h := sha256.New()
	for _, f := range m.Files {
		fmt.Fprintf(h, "%q %d %q %q\n", f.Path, f.Size, f.Version, f.Digest)
	}
	return hex.EncodeToString(h.Sum(nil))
}
