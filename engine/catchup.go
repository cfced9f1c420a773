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
	waiting atomic.Bool // in Read, so what came before is dealt with
}

// Read implements io.Reader.
func (f *follower) Read(b []byte) (int, error) {
	f.waiting.Store(true)
	defer f.waiting.Store(false)
	return f.ReadCloser.Read(b)
}

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
