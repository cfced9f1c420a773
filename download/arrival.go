package download

import (
	"context"
	"os"
	"path/filepath"
	"sync"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
)

// An Arrival is a model on its way into a Cache, whose bytes can be read as they come. Its
// methods are safe for concurrent use.
type Arrival struct {
	manifest *source.Manifest
	begun    chan struct{} // closed when bytes can be read; what follows is set before
	dir      string
	name     func(source.File) string // of a file in dir
	arriving map[string]*assembly     // by name; files of the manifest that are not here are complete
	queue    *queue

	cancel context.CancelFunc
	done   chan struct{} // closed when all is there, or has failed; what follows is set before
	lease  *Lease
	err    error

	mu      sync.Mutex
	readers []*Reader
}

// Stream is [Cache.Acquire] of all files of man for readers who will not wait for the last
// byte: it returns as soon as bytes can be read, and goes on until ctx ends or Close. While
// another process brings the same files it waits for that.
//
//	a, err := cache.Stream(ctx, nil, src, man, nil)
//	defer a.Close()
//	r := a.Reader()
//	body, err := r.Open(ctx, file, off, n) // ahead of what nobody waits for
//	…
//	err = r.Verified(ctx)                  // now what was read can be believed
//
// report, which may be nil, is called by one goroutine until Done.
func (c *Cache) Stream(ctx context.Context, m *Manager, src source.Source, man *source.Manifest, report func(Progress)) (*Arrival, error) {
	if m == nil {
		m = Default
	}
	a := &Arrival{manifest: man, begun: make(chan struct{}), done: make(chan struct{})}
	a.name = func(f source.File) string { return f.Path }
	ctx, a.cancel = context.WithCancel(ctx)
	go func() {
		defer close(a.done)
		a.lease, a.err = c.acquire(ctx, m, src, man, report, a)
	}()
	select {
	case <-a.begun:
		return a, nil
	case <-a.done:
	}
	if a.err != nil {
		a.cancel()
		return nil, a.err
	}
	return a, nil
}

// Done is closed when all files are there and right, or will not come; Lease says which.
func (a *Arrival) Done() <-chan struct{} { return a.done }

// Lease waits for Done. The lease ends with Close.
func (a *Arrival) Lease() (*Lease, error) {
	<-a.done
	return a.lease, a.err
}

// Close ends the download where it is, or gives up the lease, and returns when nothing of it
// runs any more.
func (a *Arrival) Close() error {
	a.cancel()
	<-a.done
	if a.lease == nil {
		return nil
	}
	return a.lease.Close()
}

// begin lets readers in; before it no byte is written. A nil Arrival has none.
func (a *Arrival) begin(dir string, assemblies []*assembly, q *queue) {
	if a == nil {
		return
	}
	a.dir, a.queue, a.arriving = dir, q, make(map[string]*assembly, len(assemblies))
	for _, asm := range assemblies {
		asm.arrival = a
		a.arriving[asm.file.Path] = asm
	}
	close(a.begun)
}

// withdraw tells all who have read of a file that bytes of it were wrong. It comes after the
// bytes have been withdrawn, as readers note what they read before they look.
func (a *Arrival) withdraw(asm *assembly) {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range a.readers {
		r.doubt(asm)
	}
	asm.bell.ring()
}

// open opens a file for reading: the finished one, or else what there is of it.
func (a *Arrival) open(asm *assembly, f source.File) (*os.File, error) {
	select {
	case <-a.done:
		return a.finished(f)
	default:
	}
	name := a.name(f)
	if asm != nil {
		if file, err := os.Open(filepath.Join(a.dir, filepath.FromSlash(asm.place.at), partialName(name))); err == nil {
			return file, nil
		}
	}
	return openFile(a.dir, name)
}

func (a *Arrival) finished(f source.File) (*os.File, error) {
	if a.err != nil {
		return nil, a.err
	}
	return openFile(a.lease.Dir, f.Path)
}

func openFile(dir, name string) (*os.File, error) {
	file, err := os.Open(filepath.Join(dir, filepath.FromSlash(name))) //nolint:gosec // a name of the manifest, which was checked
	if err != nil {
		return nil, &lifecycle.Error{
			Op: "download.Open", Kind: lifecycle.MissingFile, Target: name, Err: err, Hint: "fetch it again",
		}
	}
	return file, nil
}
