package download

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/gofrs/flock"
	"github.com/spinup-llm/spinup/lifecycle"
)

// Prune removes the models, also unfinished ones, that were last wanted longer than maxAge
// ago, and then those wanted least recently until the rest takes at most maxBytes of the disk.
// 0 means no limit. What is leased, or being fetched, stays; what cannot be removed is
// reported, joined, after the rest was tried.
func (c *Cache) Prune(ctx context.Context, maxBytes int64, maxAge time.Duration) error {
	store, err := c.store()
	if err != nil {
		return err
	}
	entries, err := listEntries(store)
	if err != nil {
		return diskError("download.Prune", store, err)
	}
	sizes := newUsage(entries)
	var errs []error
	for _, e := range entries {
		if err := lifecycle.FromContext(ctx, "download.Prune", store); err != nil {
			return errors.Join(append(errs, err)...)
		}
		old := maxAge > 0 && time.Since(e.used) > maxAge
		if !old && (maxBytes <= 0 || sizes.total <= maxBytes) {
			continue
		}
		removed, err := e.remove(store)
		if err != nil {
			errs = append(errs, diskError("download.Prune", e.dir, err))
		}
		if removed {
			sizes.drop(e)
		}
	}
	return errors.Join(errs...)
}

// An entry is one revision in the store.
type entry struct {
	dir   string
	used  time.Time
	files []occupant
}

// entryPattern tells what entryName makes from folders of others.
var entryPattern = regexp.MustCompile(`-[0-9a-f]{16}@[0-9a-f]{16}$`)

// listEntries returns what the store holds, wanted least recently first.
func listEntries(store string) ([]entry, error) {
	found, err := os.ReadDir(store)
	if err != nil {
		return nil, err
	}
	var entries []entry
	for _, d := range found {
		if !d.IsDir() || !entryPattern.MatchString(d.Name()) { // a StoreDir may have been somebody's folder before
			continue
		}
		e := entry{dir: filepath.Join(store, d.Name())}
		if info, statErr := os.Stat(e.lock(store)); statErr == nil {
			e.used = info.ModTime()
		}
		if e.files, err = occupants(e.dir); err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b entry) int {
		return cmp.Or(a.used.Compare(b.used), cmp.Compare(a.dir, b.dir))
	})
	return entries, nil
}

func (e entry) lock(store string) string {
	return filepath.Join(store, locksDir, filepath.Base(e.dir)+".lock")
}

// remove deletes the entry unless it is leased.
func (e entry) remove(store string) (bool, error) {
	l := flock.New(e.lock(store))
	if ok, err := l.TryLock(); err != nil || !ok {
		return false, err
	}
	defer l.Close() //nolint:errcheck // it ends with the descriptor
	return true, os.RemoveAll(e.dir)
}

// An occupant is a file that takes space, known by what it is and not by its name: linked
// revisions share it.
type occupant struct {
	id   fileID
	size int64
}

func occupants(dir string) ([]occupant, error) {
	var all []occupant
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) { // a download finishes files meanwhile
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return nil //nolint:nilerr // as above
		}
		all = append(all, occupant{id: identify(path, info), size: allocated(info)})
		return nil
	})
	return all, err
}

// usage counts the bytes that the entries take together.
type usage struct {
	total  int64
	owners map[fileID]int
}

func newUsage(entries []entry) *usage {
	u := &usage{owners: map[fileID]int{}}
	for _, e := range entries {
		for _, f := range e.files {
			if u.owners[f.id]++; u.owners[f.id] == 1 {
				u.total += f.size
			}
		}
	}
	return u
}

func (u *usage) drop(e entry) {
	for _, f := range e.files {
		if u.owners[f.id]--; u.owners[f.id] == 0 {
			u.total -= f.size
		}
	}
}
