package download

import (
	"errors"
	"maps"
	"os"
	"path"
	"slices"
	"sync"
	"syscall"

	"github.com/spinup-llm/spinup/download/internal/journal"
)

// notes is the list of verified files. Whoever holds the lock of the directory adds to it.
type notes struct {
	mu   sync.Mutex
	file *os.File
}

// openNotes writes the list anew, with what a plan found: without repetitions, and without
// the torn line that a kill may have left.
func openNotes(root *os.Root, found []journal.Verified) (*notes, error) {
	records, _ := readVerified(root)
	if records == nil {
		records = map[string]journal.Verified{}
	}
	for _, v := range found {
		records[v.Path] = v
	}
	var data []byte
	for _, file := range slices.Sorted(maps.Keys(records)) {
		data = append(data, journal.Encode(records[file])...)
	}
	if err := replace(root, verifiedName, data); err != nil {
		return nil, err
	}
	f, err := root.OpenFile(verifiedName, os.O_WRONLY|os.O_APPEND, fileMode)
	if err != nil {
		return nil, err
	}
	return &notes{file: f}, nil
}

func (n *notes) add(v journal.Verified) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, err := n.file.Write(journal.Encode(v))
	return err
}

func (n *notes) close() { _ = n.file.Close() } // what is lost is hashed again

// dirs collects the directories in which files have appeared.
type dirs struct {
	mu    sync.Mutex
	names map[string]bool
}

// add notes a directory and those above it, which may be new.
func (d *dirs) add(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.names == nil {
		d.names = map[string]bool{".": true}
	}
	for ; !d.names[name]; name = path.Dir(name) {
		d.names[name] = true
	}
}

// sync makes the new names last, where the file system can.
func (d *dirs) sync(root *os.Root) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var errs []error
	for name := range d.names {
		f, err := root.Open(name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if err := f.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) {
			errs = append(errs, err)
		}
		_ = f.Close()
	}
	return errors.Join(errs...)
}
