package download

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/spinup-llm/spinup/download/internal/journal"
	"github.com/spinup-llm/spinup/source"
)

// adopt links the files that other revisions of the same URI hold into the folder name of
// the store, and returns what is known of them. Nothing that exists is touched.
func adopt(store, name string, files []source.File) ([]journal.Verified, error) {
	root, err := os.OpenRoot(store)
	if err != nil {
		return nil, err
	}
	defer root.Close() //nolint:errcheck // a directory has nothing to flush
	missing := lacking(root, name, files)
	if len(missing) == 0 {
		return nil, nil
	}
	var linked []journal.Verified
	uri, _, _ := strings.Cut(name, "@")
	siblings, err := os.ReadDir(store)
	if err != nil {
		return nil, err
	}
	for _, sibling := range siblings {
		if from := sibling.Name(); from != name && strings.HasPrefix(from, uri+"@") {
			linked = append(linked, adoptFrom(root, from, name, missing)...)
		}
	}
	return linked, nil
}

// adoptFrom links what it can: a file that cannot be linked is fetched.
func adoptFrom(root *os.Root, from, to string, files []source.File) []journal.Verified {
	source, err := root.OpenRoot(from)
	if err != nil {
		return nil
	}
	defer source.Close() //nolint:errcheck // a directory has nothing to flush
	verified := verifiedIn(source)
	var linked []journal.Verified
	for _, f := range files {
		info, ok := regular(source, f.Path)
		if !ok || !pinned(f) || !agrees(verified[f.Path], record(f, info)) {
			continue
		}
		if link(root, path.Join(from, f.Path), path.Join(to, f.Path), info) {
			linked = append(linked, record(f, info))
		}
	}
	return linked
}

// lacking returns the files that are not known as verified in the folder name.
func lacking(root *os.Root, name string, files []source.File) []source.File {
	dir, err := root.OpenRoot(name)
	if err != nil {
		return files
	}
	defer dir.Close() //nolint:errcheck // a directory has nothing to flush
	verified := verifiedIn(dir)
	return slices.DeleteFunc(slices.Clone(files), func(f source.File) bool {
		info, ok := regular(dir, f.Path)
		return ok && agrees(verified[f.Path], record(f, info))
	})
}

// link reports whether target is then the file that info describes: also another process
// may have linked it.
func link(root *os.Root, from, target string, info fs.FileInfo) bool {
	if err := root.MkdirAll(path.Dir(target), dirMode); err != nil {
		return false
	}
	if err := root.Link(from, target); err != nil && !errors.Is(err, fs.ErrExist) {
		return false
	}
	now, ok := regular(root, target)
	return ok && os.SameFile(now, info)
}

func verifiedIn(dir *os.Root) map[string]journal.Verified {
	state, err := dir.OpenRoot(stateDir)
	if err != nil {
		return nil
	}
	defer state.Close() //nolint:errcheck // nothing was written
	return readVerified(state)
}
