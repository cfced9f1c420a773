package source

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/spinup-llm/spinup/lifecycle"
)

const (
	opRead = "source.Read"

	firstPause = 250 * time.Millisecond
	// patience is how long Read tries again: about as long as download tries a range that fails at
	// once. A service that asks for a longer pause than is left, which download would make, is told.
	patience = time.Minute
	// silence is how long src may bring nothing.
	silence = 30 * time.Second
)

// Read has use read the bytes [off, off+n) of f, from their begin again where src is
// Throttled or Unavailable: for a minute, after growing pauses or those that the service asks
// for. A src that brings nothing for 30 s is Unavailable, and so is an error without a kind.
// What use gets of the reader has a kind, but for io.EOF at its end. Read is for the little that
// checks need: package download fetches files.
func Read(ctx context.Context, src Source, f File, off, n int64, use func(io.Reader) error) error {
	begun := time.Now()
	for pause := firstPause; ; pause *= 2 {
		err := readOnce(ctx, src, f, off, n, use)
		wait := max(pause/2+rand.N(pause/2), RetryAfter(err)) //nolint:gosec // no secret depends on it
		if ctx.Err() != nil || !lifecycle.KindOf(err).Temporary() || time.Since(begun)+wait > patience {
			return err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return fmt.Errorf("%w, after %w", lifecycle.FromContext(ctx, opRead, f.Path), err)
		}
	}
}

func readOnce(ctx context.Context, src Source, f File, off, n int64, use func(io.Reader) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r := &reading{ctx: ctx, cancel: cancel, name: f.Path}
	if err := r.open(src, f, off, n); err != nil {
		return r.explain(err)
	}
	defer func() { _ = r.body.Close() }() // it was only read
	return use(r)
}

// A reading is a body that ends when it is silent, and whose errors have a kind.
type reading struct {
	ctx    context.Context //nolint:containedctx // the body lives as long as readOnce
	cancel context.CancelCauseFunc
	body   io.ReadCloser
	name   string
}

func (r *reading) open(src Source, f File, off, n int64) (err error) {
	defer r.watch().Stop()
	r.body, err = src.Open(r.ctx, f, off, n)
	return err
}

// watch ends r when it is not stopped before it has been silent for too long.
func (r *reading) watch() *time.Timer {
	return time.AfterFunc(silence, func() { r.cancel(r.unavailable(fmt.Errorf("no byte for %v", silence))) })
}

// Read implements io.Reader. The time of whoever reads does not count as silence.
func (r *reading) Read(p []byte) (int, error) {
	watch := r.watch()
	defer watch.Stop()
	n, err := r.body.Read(p)
	if err == nil || err == io.EOF {
		return n, err
	}
	return n, r.explain(err)
}

// explain gives err a kind.
func (r *reading) explain(err error) error {
	if ended := lifecycle.FromContext(r.ctx, opRead, r.name); ended != nil {
		return ended
	}
	if lifecycle.KindOf(err) == lifecycle.Unknown {
		return r.unavailable(err)
	}
	return err
}

func (r *reading) unavailable(err error) error {
	return &lifecycle.Error{
		Op: opRead, Kind: lifecycle.Unavailable, Target: r.name, Err: err,
		Hint: "check the network between here and the source",
	}
}
