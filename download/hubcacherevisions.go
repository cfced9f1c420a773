package download

import (
	"cmp"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A revision is one snapshot of a model.
type revision struct {
	entry
	model *hubModel
}

var commitName = regexp.MustCompile(`^[0-9a-f]{40}$`)

// listRevisions returns what the cache holds, used least recently first. On its way it
// removes what killed programs left.
func listRevisions(dir string) ([]revision, error) {
	models, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var found []revision
	for _, d := range models {
		if !strings.HasPrefix(d.Name(), "models--") {
			continue
		}
		model := filepath.Join(dir, d.Name())
		(&hubModel{dir: model}).sweepAll()
		(&hubModel{dir: model}).sweepOurs()
		snapshots, _ := os.ReadDir(filepath.Join(model, "snapshots")) // without them there is nothing to remove
		for _, s := range snapshots {
			if s.IsDir() && commitName.MatchString(s.Name()) {
				found = append(found, newRevision(model, s.Name()))
			}
		}
	}
	slices.SortFunc(found, func(a, b revision) int {
		return cmp.Or(a.used.Compare(b.used), cmp.Compare(a.dir, b.dir))
	})
	return found, nil
}

func newRevision(model, commit string) revision {
	h := &hubModel{dir: model, commit: commit}
	r := revision{model: h, entry: entry{dir: filepath.Join(model, "snapshots", commit)}}
	if info, err := os.Stat(filepath.Join(h.locks(), commit+leaseSuffix)); err == nil {
		r.used = info.ModTime()
	}
	_ = filepath.WalkDir(r.dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // others may be removing it
		}
		info, err := os.Stat(name)
		if err != nil {
			return nil //nolint:nilerr // a link that leads nowhere takes no space
		}
		for _, at := range []time.Time{info.ModTime(), accessed(info)} {
			if !d.IsDir() && at.After(r.used) {
				r.used = at
			}
		}
		if !d.IsDir() {
			r.files = append(r.files, occupant{id: identify(name, info), size: allocated(info)})
		}
		return nil
	})
	return r
}

// blobsOf returns the names of the blobs that a snapshot leads to, or, where it has the files
// themselves, shares with it.
func blobsOf(snapshot string) []string {
	blobs := filepath.Join(filepath.Dir(filepath.Dir(snapshot)), "blobs")
	same := map[fileID]string{}
	entries, _ := os.ReadDir(blobs) // without blobs there are none
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			same[identify(filepath.Join(blobs, e.Name()), info)] = e.Name()
		}
	}
	names := map[string]bool{}
	_ = filepath.WalkDir(snapshot, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil //nolint:nilerr // what is gone leads nowhere
		}
		if target, err := os.Readlink(name); err == nil {
			if at := filepath.Join(filepath.Dir(name), target); filepath.Dir(at) == blobs {
				names[filepath.Base(at)] = true
			}
		} else if info, err := d.Info(); err == nil {
			if blob, ok := same[identify(name, info)]; ok {
				names[blob] = true
			}
		}
		return nil
	})
	return slices.Sorted(maps.Keys(names))
}
