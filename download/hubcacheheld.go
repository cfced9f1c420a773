package download

import (
	"maps"
	"slices"
	"sync"

	"github.com/gofrs/flock"
)

// heldBlobs are the locks of the blobs that are for us to bring. A blob's lock ends as soon as
// the blob is there, so that a tool that wants a small file does not wait for the large ones:
// it finds the blob and links it. It is safe for concurrent use.
type heldBlobs struct {
	mu    sync.Mutex
	locks map[string]*flock.Flock // by the blob's name
}

func (b *heldBlobs) add(name string, l *flock.Flock) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.locks == nil {
		b.locks = map[string]*flock.Flock{}
	}
	b.locks[name] = l
}

func (b *heldBlobs) names() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Sorted(maps.Keys(b.locks))
}

// release gives up the locks of the blobs that are held.
func (b *heldBlobs) release(names ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, name := range names {
		if l := b.locks[name]; l != nil {
			_ = l.Close() // the kernel lets go of it in any case
			delete(b.locks, name)
		}
	}
}

// keep gives up all locks but those of the files, which are named as their blobs.
func (b *heldBlobs) keep(files []string) {
	for _, name := range b.names() {
		if !slices.Contains(files, name) {
			b.release(name)
		}
	}
}
