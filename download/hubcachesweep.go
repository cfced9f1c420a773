package download

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// quietFor is the time without a write after which a partial file whose lock nobody holds
// is dead: the tools of the hub give a connection up after 10 s.
const quietFor = time.Minute

const (
	nextSuffix = ".next" // what is about to be put in place
	goneSuffix = ".gone" // a revision that is being removed
)

// sweep removes the partial files that killed tools left of the blobs whose locks are held,
// and that were not written to for a while: nothing goes on with them. What cannot be removed
// stays. It reads the folder once, however many blobs there are.
func (h *hubModel) sweep(held []string) {
	entries, _ := os.ReadDir(h.blobs())
	for _, e := range entries {
		isOf := func(name string) bool { return strings.HasPrefix(e.Name(), name+".") }
		if !strings.HasSuffix(e.Name(), theirPartial) || !slices.ContainsFunc(held, isOf) {
			continue
		}
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > quietFor {
			_ = os.Remove(filepath.Join(h.blobs(), e.Name()))
		}
	}
}

// sweepAll removes the dead partial files of the model: those whose lock is free, and that
// nobody has written to for a while.
func (h *hubModel) sweepAll() {
	for name := range h.partials() {
		if unlock, err := h.tryAll([]string{name + blobSuffix}); err == nil && unlock != nil {
			h.sweep([]string{name})
			unlock()
		}
	}
}

// sweepOurs removes what of these a kill left. While nobody adds to the model nor prunes it, each is
// dead; their age says nothing, as most have the time of the file that they are a copy of.
func (h *hubModel) sweepOurs() {
	state := filepath.Join(h.blobs(), stateDir)
	entries, _ := os.ReadDir(state)
	entries = slices.DeleteFunc(entries, func(e os.DirEntry) bool {
		return !strings.HasSuffix(e.Name(), nextSuffix) && !strings.HasSuffix(e.Name(), goneSuffix)
	})
	if len(entries) == 0 {
		return
	}
	unlock, err := h.tryAll([]string{modelLease + leaseSuffix})
	if err != nil || unlock == nil {
		return
	}
	defer unlock()
	root, err := os.OpenRoot(h.dir)
	if err != nil {
		return
	}
	defer root.Close() //nolint:errcheck // it only removed
	for _, e := range entries {
		_ = root.RemoveAll(path.Join("blobs", stateDir, e.Name()))
	}
}
