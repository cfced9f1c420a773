package replica

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"sync"

	"golang.org/x/sync/semaphore"
)

// smallBody is how many bytes a request may have without being counted: about as much as the
// rest of its connections takes.
const smallBody = 64 << 10

// A body is a request's, whole in memory so that it can be sent again. A large one counts in
// the gateway's budget until it is let go.
type body struct {
	budget *semaphore.Weighted

	mu      sync.Mutex
	data    []byte
	counted int64 // of budget
	gone    bool
}

// count waits until there is room for n bytes, or ctx ends.
func (b *body) count(ctx context.Context, n int64) error {
	if n <= smallBody {
		return nil
	}
	if err := b.budget.Acquire(ctx, n); err != nil {
		return err
	}
	b.counted = n
	return nil
}

// set makes data the body, and gives back what was counted beyond it.
func (b *body) set(data []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.data = data
	if over := b.counted - int64(len(data)); over > 0 {
		b.budget.Release(over)
		b.counted -= over
	}
}

// letGo ends the counting; a large body is not sent again. It may be called more than once.
func (b *body) letGo() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.counted > 0 {
		b.budget.Release(b.counted)
		b.counted, b.data, b.gone = 0, nil, true
	}
}

var errLetGo = errors.New("the request is not held any more")

// open is for http.Request.GetBody. The transport knows what it gets for a small one, and
// sends it with the header in one write.
func (b *body) open() (io.ReadCloser, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.gone:
		return nil, errLetGo
	case b.counted == 0:
		return io.NopCloser(bytes.NewReader(b.data)), nil
	default:
		return &bodyReader{of: b, rest: b.data}, nil
	}
}

// begun lets go of r's body when its answer has begun: nobody sends it again.
func begun(r *http.Request) {
	if reader, ok := r.Body.(*bodyReader); ok {
		reader.of.letGo()
	}
}

// A bodyReader reads a large body. Its Close, when the transport has sent it, is what makes
// the memory free.
type bodyReader struct {
	of *body

	mu   sync.Mutex
	rest []byte
}

// Read implements io.Reader.
func (r *bodyReader) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// Close implements io.Closer.
func (r *bodyReader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rest = nil
	return nil
}
