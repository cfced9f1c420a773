package download

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path"
	"sync"
	"syscall"
)

// stateDir holds, below the directory of the files, all that is not a finished file: the
// lock of the one process that writes, partial files with their journals, and the list of
// verified files. Removing it loses no finished file, only the knowledge that it is right.
const (
	stateDir     = ".spinup"
	lockName     = "lock"
	verifiedName = "verified"

	partialSuffix = ".partial"
	journalSuffix = ".journal"
	newSuffix     = ".new"   // what is about to be put in place
	aloneSuffix   = ".alone" // a folder for the partial files of one run, where there are no locks

	dirMode  = 0o755
	fileMode = 0o644
)

// stem is the name, without its suffix, of the partial file and the journal of a path: flat
// and unique, and a person still recognises it.
func stem(file string) string {
	sum := sha256.Sum256([]byte(file))
	base := path.Base(file)
	if len(base) > 100 {
		base = base[len(base)-100:]
	}
	return hex.EncodeToString(sum[:8]) + "-" + base
}

func partialName(file string) string { return stem(file) + partialSuffix }
func journalName(file string) string { return stem(file) + journalSuffix }

// A place is a directory to which files are brought. Writing goes through roots, so that
// neither a name nor a link leads out of it. It is safe for concurrent use.
type place struct {
	root  *os.Root
	state *os.Root // its folder stateDir
	parts *os.Root // the folder for partial files and journals
	at    string   // its path below root: stateDir, or one of this run alone

	mu   sync.Mutex
	dirs map[string]bool // that exist, and hold new files
}

// makePlace opens dir, creating it where it is missing.
func makePlace(dir string) (*place, error) {
	if err := os.MkdirAll(dir, dirMode); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	if err = root.MkdirAll(stateDir, dirMode); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	state, err := root.OpenRoot(stateDir)
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return &place{root: root, state: state, parts: state, at: stateDir, dirs: map[string]bool{}}, nil
}

// withdraw puts partial files where no other process writes to them. They end with the place.
func (p *place) withdraw() error {
	name := rand.Text() + aloneSuffix
	if err := p.state.Mkdir(name, dirMode); err != nil {
		return err
	}
	parts, err := p.state.OpenRoot(name)
	if err != nil {
		return err
	}
	p.parts, p.at = parts, path.Join(stateDir, name)
	return nil
}

// alone reports whether this run keeps to itself, as others may write to the directory at the same time.
func (p *place) alone() bool { return p.parts != p.state }

// publish moves a partial file to its final name, replacing what is there.
func (p *place) publish(file string) error {
	if err := p.mkdir(path.Dir(file)); err != nil {
		return err
	}
	return p.root.Rename(path.Join(p.at, partialName(file)), file)
}

// mkdir makes a directory and those above it, once.
func (p *place) mkdir(name string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dirs[name] {
		return nil
	}
	if err := p.root.MkdirAll(name, dirMode); err != nil {
		return err
	}
	for ; !p.dirs[name]; name = path.Dir(name) {
		p.dirs[name] = true
	}
	return nil
}

// sync makes the new names last.
func (p *place) sync() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for name := range p.dirs {
		f, err := p.root.Open(name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		errs = append(errs, flush(f), f.Close())
	}
	return errors.Join(errs...)
}

func (p *place) close() { // directories have nothing to flush
	if p.alone() {
		_ = p.parts.Close()
		_ = p.root.RemoveAll(p.at) // what stays is swept
	}
	_ = p.state.Close()
	_ = p.root.Close()
}

// flush waits until f is on the disk, where the file system knows of such a thing.
func flush(f *os.File) error {
	if err := f.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOTSUP) {
		return err
	}
	return nil
}

// replace writes a file that readers see either as it was or as it is now. It waits for no disk:
// what a power cut leaves empty is only what was known, and is found out again.
func replace(root *os.Root, name string, data []byte) error {
	next := name + newSuffix
	if err := root.WriteFile(next, data, fileMode); err != nil {
		return err
	}
	return root.Rename(next, name)
}

// remove deletes a file that may be gone already.
func remove(root *os.Root, name string) error {
	if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// regular returns what is known about a plain file; links are not followed, and all else
// counts as missing.
func regular(root *os.Root, name string) (fs.FileInfo, bool) {
	info, err := root.Lstat(name)
	return info, err == nil && info.Mode().IsRegular()
}
