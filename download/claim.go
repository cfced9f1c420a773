package download

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// A claim sets aside the disk space that a run is still to take, so that of two runs which
// fit alone, but not together, one is refused before it has fetched anything.
type claim struct {
	dir    string
	device uint64
	left   func() int64 // bytes not yet taken
}

// claim fails with kind NoSpace when the disk of dir lacks what left says now.
func (b *Budget) claim(dir string, left func() int64) (release func(), err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	device, err := b.fits(dir, left())
	if err != nil {
		return nil, err
	}
	c := &claim{dir: dir, device: device, left: left}
	b.claims[c] = struct{}{}
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.claims, c)
	}, nil
}

// check is claim for a plan, which sets nothing aside.
func (b *Budget) check(dir string, findings []finding) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var needed int64
	for _, f := range findings {
		needed += f.needed()
	}
	_, err := b.fits(dir, needed)
	return err
}

// fits leaves out what goes into dir already: it is the same, and one waits for the other.
func (b *Budget) fits(dir string, needed int64) (device uint64, err error) {
	existing, err := ancestor(dir)
	if err != nil {
		return 0, diskError("download.Plan", dir, err)
	}
	device, free, err := freeSpace(existing)
	if err != nil {
		return 0, diskError("download.Plan", dir, err)
	}
	var others int64
	for c := range b.claims {
		if c.device == device && c.dir != dir {
			others += c.left()
		}
	}
	if needed > 0 && needed > free-others {
		return 0, noSpace(dir, &spaceError{needed: needed, free: free, others: others})
	}
	return device, nil
}

// ancestor returns the deepest existing directory of dir's way.
func ancestor(dir string) (string, error) {
	for at := filepath.Clean(dir); ; at = filepath.Dir(at) {
		if _, err := os.Stat(at); err == nil || !errors.Is(err, fs.ErrNotExist) || at == filepath.Dir(at) {
			return at, err
		}
	}
}
