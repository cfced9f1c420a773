package engine

import (
	"context"
	"io"
	"sync/atomic"
	"time"
)

// A follower is a reader that knows whether it has read all that was written so far.
type follower struct {
	io.ReadCloser
	waiting atomic.Bool // in Read with nothing taken, so what came before is dealt with
}

// Read implements io.Reader. It ceases to wait before it takes something, which is then neither
// unread nor dealt with. Where the system cannot tell when, it waits until it has read.
func (f *follower) Read(b []byte) (int, error) {
	f.waiting.Store(true)
	defer f.waiting.Store(false)
	if awaitUnread(f.ReadCloser) == nil {
		f.waiting.Store(false)
	}
	return f.ReadCloser.Read(b)
}

// behind looks at what is unread first: what is taken after that was written after that, too.
func (f *follower) behind() bool { return unread(f.ReadCloser) || !f.waiting.Load() }

// catchUp returns when the lines written up to now have been parsed: an answer of the
// engine's must not overtake what it said before. Output without a pause is waited for at
// most a second; where the system cannot tell what is unread, none is.
func (o *output) catchUp(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	tick := time.NewTicker(100 * time.Microsecond)
	defer tick.Stop()
	for o.from.behind() {
		select {
		case <-ctx.Done():
			return
		case <-o.ended:
			return
		case <-tick.C:
		}
	}
}
