package download

import (
	"os"
	"path/filepath"
	"strings"
	"time"
)

// quietFor is the time without a write after which a partial file whose lock nobody holds
// is dead: the tools of the hub give a connection up after 10 s.
const quietFor = time.Minute

// sweep removes the partial files that killed tools left of the blobs whose locks are held:
// nothing goes on with them.
func (h *hubModel) sweep(held []string) {
	for _, name := range held {
		h.sweepOf(name)
	}
}

// sweepOf removes those of one blob that were not written to for a while; what cannot be
// removed stays.
func (h *hubModel) sweepOf(name string) {
	entries, _ := os.ReadDir(h.blobs())
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), name+".") || !strings.HasSuffix(e.Name(), theirPartial) {
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
			h.sweepOf(name)
			unlock()
		}
	}
}
