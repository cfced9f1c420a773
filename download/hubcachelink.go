package download

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spinup-llm/spinup/source"
)

// tagText makes a folder one that backups leave out (Cache Directory Tagging Specification).
const tagText = "Signature: 8a477f597d28d172789f06886806bc55\n# This folder holds what can be downloaded again.\n"

// tag puts a CACHEDIR.TAG into the cache unless it has one. Without it all works as well.
func tag(cache string) {
	f, err := os.OpenFile(filepath.Join(cache, "CACHEDIR.TAG"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode) //nolint:gosec // as other tools read it
	if err != nil {
		return
	}
	_, _ = f.WriteString(tagText)
	_ = f.Close()
}

// link makes the paths of the commit lead to the blobs, then the ref to the commit, and
// notes what else is known of it.
func (h *hubModel) link(files []source.File) error {
	root, err := os.OpenRoot(h.dir)
	if err != nil {
		return err
	}
	defer root.Close() //nolint:errcheck // a directory has nothing to flush
	for _, f := range files {
		if err := h.put(root, f); err != nil {
			return err
		}
	}
	if err := h.note(root); err != nil || h.cache.Ref == "" {
		return err
	}
	name := path.Join("refs", h.cache.Ref)
	if was, err := root.ReadFile(name); err == nil && string(was) == h.commit {
		return nil
	}
	return write(root, name, []byte(h.commit))
}

// snapshot is where a file is, below the model's folder.
func (h *hubModel) snapshot(file string) string { return path.Join("snapshots", h.commit, file) }

// put makes the path of f in the snapshot lead to its blob. Where the file system has no
// symbolic links, as exFAT, SMB and some volumes of clouds, it does as it is told with
// HF_HUB_DISABLE_SYMLINKS.
func (h *hubModel) put(root *os.Root, f source.File) error {
	name := h.snapshot(f.Path)
	if !h.cache.NoLinks {
		target := strings.Repeat("../", strings.Count(name, "/")) + "blobs/" + f.Digest.Hex
		err := symlink(root, target, name)
		if !lacksLinks(err) {
			return err
		}
		h.cache.NoLinks = true // for this lease
	}
	return h.place(root, f.Digest.Hex, name)
}

// lacksLinks reports whether err is how file systems without symbolic links refuse one.
func lacksLinks(err error) bool {
	return errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EPERM)
}

// symlink makes name a link to target, whatever it was.
func symlink(root *os.Root, target, name string) error {
	if now, err := root.Readlink(name); err == nil && now == target {
		return nil
	}
	return arrive(root, name, func(next string) error { return root.Symlink(target, next) })
}

// place makes name the file itself: another name of the blob, or else a copy.
func (h *hubModel) place(root *os.Root, blob, name string) error {
	blob, err := filepath.EvalSymlinks(filepath.Join(h.blobs(), blob))
	if err != nil {
		return err
	}
	was, wasErr := os.Stat(filepath.Join(h.dir, name))
	if is, err := os.Stat(blob); err == nil && wasErr == nil && (os.SameFile(was, is) || isCopy(was, is)) {
		return nil
	}
	return arrive(root, name, func(next string) error { return duplicate(root, blob, filepath.Join(h.dir, next), next) })
}

// isCopy tells a copy that duplicate made by its time of modification, so that not each
// start makes it anew.
func isCopy(a, b os.FileInfo) bool {
	return a.Mode().IsRegular() && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// duplicate gives the file from, at any path, the name that is absolute, and next in root.
func duplicate(root *os.Root, from, absolute, next string) error {
	if os.Link(from, absolute) == nil {
		return nil
	}
	in, err := os.Open(from) //nolint:gosec // a file of the cache
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // it was only read
	if err := pour(root, next, in); err != nil {
		return err
	}
	if info, err := in.Stat(); err == nil { // its time is to speak for its bytes
		_ = root.Chtimes(next, info.ModTime(), info.ModTime()) // else it is copied again
	}
	return nil
}

// pour makes a new file of what r has. Its bytes are on the disk then: a power cut leaves no name
// that leads to fewer.
func pour(root *os.Root, name string, r io.Reader) error {
	out, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return err
	}
	if _, err = io.Copy(out, r); err == nil {
		err = flush(out)
	}
	return errors.Join(err, out.Close())
}

// adopt gives files that lie in the snapshot themselves, as tools without links leave them,
// the names of the blobs that are missing. Whether they are right is looked at like all else.
func (h *hubModel) adopt() {
	root, err := os.OpenRoot(h.dir)
	if err != nil {
		return
	}
	defer root.Close() //nolint:errcheck // a directory has nothing to flush
	for _, name := range h.names() {
		f := h.paths[name]
		from := h.snapshot(f.Path)
		if info, ok := regular(root, from); !ok || info.Size() != f.Size || h.has(name) {
			continue
		}
		_ = arrive(root, path.Join("blobs", name), func(next string) error { // otherwise it is fetched
			return duplicate(root, filepath.Join(h.dir, from), filepath.Join(h.dir, next), next)
		})
	}
}

// note keeps the listing of the commit, and which files it lacks. The tools of the hub refuse
// to work offline with a snapshot that lacks a file of their listing, so they are given only
// that of a complete one: a choice of files stays as useful to them as it was.
func (h *hubModel) note(root *os.Root) error {
	if h.cache.Listing == nil {
		return nil
	}
	for _, file := range h.cache.Absent {
		name := path.Join(".no_exist", h.commit, file)
		if err := root.MkdirAll(path.Dir(name), dirMode); err != nil {
			return err
		}
		f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE, fileMode)
		if err != nil {
			return err
		}
		_ = f.Close() // it is empty
	}
	own, theirs := path.Join(source.HubListings, h.commit+".json"), path.Join("trees", h.commit+".json")
	for _, file := range h.cache.Files {
		if _, err := os.Stat(filepath.Join(h.dir, h.snapshot(file))); err != nil {
			return keep(root, own, h.cache.Listing)
		}
	}
	return errors.Join(keep(root, theirs, h.cache.Listing), remove(root, own))
}

// keep writes a JSON document unless there is one.
func keep(root *os.Root, name string, data []byte) error {
	if was, err := root.ReadFile(name); err == nil && json.Valid(was) {
		return nil
	}
	return write(root, name, data)
}

// write puts a file in place, whatever was there.
func write(root *os.Root, name string, data []byte) error {
	return arrive(root, name, func(next string) error { return pour(root, next, bytes.NewReader(data)) })
}

// arrive puts in place of name what create makes, without a moment at which it is gone or
// half done.
func arrive(root *os.Root, name string, create func(next string) error) error {
	state := path.Join("blobs", stateDir)
	for _, dir := range []string{state, path.Dir(name)} {
		if err := root.MkdirAll(dir, dirMode); err != nil {
			return err
		}
	}
	next := path.Join(state, rand.Text()+nextSuffix) // others may be at the same name
	if err := create(next); err != nil {
		return errors.Join(err, remove(root, next))
	}
	if err := root.Rename(next, name); err != nil {
		return errors.Join(err, remove(root, next))
	}
	return remove(root, next) // renaming leaves it where both were the same file
}
