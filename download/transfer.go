package download

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
)

// fetch brings a part, however many tries it takes, going on at the byte that is missing.
func (r *run) fetch(ctx context.Context, p *part) ([]*part, error) {
	policy := r.m.policy()
	for {
		start := p.pos.Load()
		more, err := r.attempt(ctx, p)
		if err == nil {
			return more, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if errors.Is(err, errYield) {
			return []*part{p}, nil
		}
		wait, again := policy.next(err, p.pos.Load()-start)
		if !again {
			return nil, r.final(p, err, policy.fails)
		}
		r.log.DebugContext(ctx, "range tried again", slog.String("file", p.asm.file.Path),
			slog.Int64("offset", p.pos.Load()), slog.Duration("after", wait), slog.Any("error", err))
		pause := source.RetryAfter(err)
		if pause > 0 {
			r.gate.hold(pause)
		}
		if pause > 0 || lifecycle.KindOf(err) == lifecycle.Throttled {
			if allowed := r.ramp.complain(); r.queue.allow(allowed) > allowed {
				return []*part{p}, nil // others go on, and this one when there is room again
			}
		}
		if err := sleep(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// final gives the error that ends the run its form.
func (r *run) final(p *part, err error, tries int) error {
	from, ok := errors.AsType[*remote](err)
	if !ok {
		if isFull(err) {
			return r.full(err)
		}
		if _, ok := errors.AsType[*lifecycle.Error](err); ok {
			return err
		}
		return diskError("download.Run", p.asm.file.Path, err)
	}
	kind := lifecycle.KindOf(from.err)
	if !from.again && kind != lifecycle.Unknown {
		return from.err
	}
	if kind == lifecycle.Unknown {
		kind = lifecycle.Unavailable
	}
	return &lifecycle.Error{
		Op: "download.Run", Kind: kind, Target: p.asm.file.Path,
		Err: fmt.Errorf("gave up at offset %d, tries without a new byte: %d: %w", p.pos.Load(), tries, from.err),
	}
}

// full explains that the disk has become full under way.
func (r *run) full(cause error) error {
	progress := r.meter.snapshot()
	_, free, err := freeSpace(r.plan.Dir)
	if err != nil {
		free = 0
	}
	return noSpace(r.plan.Dir, &spaceError{needed: progress.Bytes - progress.BytesDone, free: free, cause: cause})
}

// attempt opens what is left of the part once and takes what comes.
func (r *run) attempt(ctx context.Context, p *part) ([]*part, error) {
	if err := r.gate.wait(ctx); err != nil {
		return nil, err
	}
	buf, err := r.share.take(ctx)
	if err != nil {
		return nil, err
	}
	defer r.share.give(buf)
	defer r.meter.enter(p.asm.file.Path)()
	if err := p.asm.open(); err != nil {
		return nil, err
	}
	if err := p.asm.ordered.catchUp(buf); err != nil {
		return nil, err
	}
	if p.missing() > 0 {
		if err := r.copy(ctx, p, buf); err != nil {
			return nil, err
		}
	}
	return r.landed(ctx, p, buf)
}

// copy writes what one body of the source brings, and tells the journal.
func (r *run) copy(ctx context.Context, p *part, buf []byte) error {
	if err := p.reserve(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	f := r.watch.start(p, cancel)
	defer r.watch.end(f)
	p.began = p.pos.Load()
	end := p.end.Load()
	body, err := r.src.Open(ctx, p.asm.file, p.began, end-p.began)
	if err != nil {
		return r.sourceError(ctx, p, err)
	}
	defer body.Close() //nolint:errcheck // its bytes have been read
	err = errors.Join(r.drain(ctx, f, body, buf), p.asm.note(p))
	if err != nil || p.end.Load() < end { // what was split off comes by another way
		return err
	}
	return r.atEnd(p, body, buf)
}

func (r *run) drain(ctx context.Context, f *flight, body io.Reader, buf []byte) error {
	p := f.part
	for {
		claimed := p.claim(len(buf))
		if claimed == 0 {
			return nil
		}
		n, readErr := r.fill(ctx, f, body, buf[:claimed])
		if n > 0 {
			if err := p.asm.write(p, buf[:n]); err != nil {
				return err
			}
			if err := p.asm.ordered.chase(p, buf); err != nil {
				return err
			}
		}
		if readErr != nil && p.missing() > 0 {
			return r.sourceError(ctx, p, readErr)
		}
	}
}

// fill reads until b is full, counting the bytes as they come.
func (r *run) fill(ctx context.Context, f *flight, body io.Reader, b []byte) (n int, err error) {
	err = ctx.Err() // a source may be slow to notice
	for n < len(b) && err == nil {
		var k int
		k, err = body.Read(b[n:])
		if k == 0 {
			continue
		}
		n += k
		r.meter.add(int64(k))
		due := r.budget.due(k)
		f.landed(k, due)
		if sleepErr := sleep(ctx, due); sleepErr != nil {
			return n, sleepErr
		}
	}
	return n, err
}

// atEnd checks that the body ends where the range does. Otherwise it was not the range
// that was asked for: its bytes are not believed, and it is tried once more.
func (r *run) atEnd(p *part, body io.Reader, buf []byte) error {
	n, err := 0, error(nil)
	for n == 0 && err == nil {
		n, err = body.Read(buf[:1])
	}
	if n == 0 {
		return nil
	}
	size := p.end.Load() - p.off
	r.meter.add(-size)
	if err := p.asm.rewind(p); err != nil {
		return err
	}
	again := !p.oversized
	p.oversized = true
	return &remote{again: again, err: corrupt("download.Run", p.asm.file.Path,
		fmt.Sprintf("%d bytes at %d", size, p.off), "more", hintSource)}
}

// sourceError classifies an error of Open or of a body.
func (r *run) sourceError(ctx context.Context, p *part, err error) error {
	file := p.asm.file
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errYield):
		return errYield
	case errors.Is(cause, errSlow):
		return &remote{again: true, err: &lifecycle.Error{
			Op: "download.Run", Kind: lifecycle.Unavailable, Target: file.Path,
			Err: fmt.Errorf("fewer than %s a second at offset %d", formatBytes(r.m.minSpeed()), p.pos.Load()),
		}}
	case errors.Is(cause, errStalled):
		return &remote{again: true, err: &lifecycle.Error{
			Op: "download.Run", Kind: lifecycle.Timeout, Target: file.Path,
			Err:  fmt.Errorf("no byte for %v at offset %d", r.m.stallTimeout(), p.pos.Load()),
			Hint: "check the network between here and the source, or raise StallTimeout",
		}}
	}
	if errors.Is(err, io.EOF) {
		return &remote{again: true, err: corrupt("download.Run", file.Path,
			fmt.Sprintf("%d bytes", file.Size), fmt.Sprintf("an end at %d", p.pos.Load()), hintSource)}
	}
	return fromSource(err)
}

// mismatch has a file with wrong bytes fetched once more, and then gives up.
func (r *run) mismatch(ctx context.Context, a *assembly, sum []byte) ([]*part, error) {
	got := a.file.Digest.Algorithm + ":" + hex.EncodeToString(sum)
	if a.refetched {
		if err := a.discard(); err != nil {
			return nil, err
		}
		return nil, corrupt("download.Run", a.file.Path, a.file.Digest.String(), got, hintSource)
	}
	r.log.WarnContext(ctx, "file had wrong bytes and is fetched once more", slog.String("file", a.file.Path),
		slog.String("expected", a.file.Digest.String()), slog.String("got", got))
	r.meter.add(-a.file.Size)
	return a.restart(chooseSize(a.file, r.m.PartSize, a.file.Size, r.budget.connections()))
}
