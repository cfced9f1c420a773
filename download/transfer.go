package download

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
)

var errStalled = errors.New("stalled")

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
		wait, again := policy.next(err, p.pos.Load()-start)
		if !again {
			return nil, r.final(p, err, policy.fails)
		}
		r.log.DebugContext(ctx, "range tried again", slog.String("file", p.asm.file.Path),
			slog.Int64("offset", p.pos.Load()), slog.Duration("after", wait), slog.Any("error", err))
		if pause := source.RetryAfter(err); pause > 0 {
			r.gate.hold(pause)
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
	free, _, err := freeSpace(r.plan.Dir)
	if err != nil {
		free = 0
	}
	return noSpace(r.plan.Dir, progress.Bytes-progress.BytesDone, free, cause)
}

// attempt opens what is left of the part once and takes what comes.
func (r *run) attempt(ctx context.Context, p *part) ([]*part, error) {
	if err := r.gate.wait(ctx); err != nil {
		return nil, err
	}
	buf, err := r.m.take(ctx)
	if err != nil {
		return nil, err
	}
	defer r.m.give(buf)
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
	watch := time.AfterFunc(r.m.stallTimeout(), func() { cancel(errStalled) })
	defer watch.Stop()
	body, err := r.src.Open(ctx, p.asm.file, p.pos.Load(), p.missing())
	if err != nil {
		return r.sourceError(ctx, p, err)
	}
	defer body.Close() //nolint:errcheck // its bytes have been read
	return errors.Join(r.drain(ctx, p, body, watch, buf), p.asm.note(p))
}

func (r *run) drain(ctx context.Context, p *part, body io.Reader, watch *time.Timer, buf []byte) error {
	for p.missing() > 0 {
		n, readErr := r.fill(ctx, body, watch, buf[:min(int64(len(buf)), p.missing())])
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
	return r.atEnd(p, body, buf)
}

// fill reads until b is full, counting the bytes as they come.
func (r *run) fill(ctx context.Context, body io.Reader, watch *time.Timer, b []byte) (n int, err error) {
	err = ctx.Err() // a source may be slow to notice
	for n < len(b) && err == nil {
		var k int
		k, err = body.Read(b[n:])
		if k == 0 {
			continue
		}
		n += k
		r.meter.add(int64(k))
		watch.Stop()
		if paceErr := r.m.pace(ctx, k); paceErr != nil {
			return n, paceErr
		}
		watch.Reset(r.m.stallTimeout())
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
	r.meter.add(p.off - p.end)
	if err := p.asm.rewind(p); err != nil {
		return err
	}
	again := !p.oversized
	p.oversized = true
	return &remote{again: again, err: corrupt("download.Run", p.asm.file.Path,
		fmt.Sprintf("%d bytes at %d", p.end-p.off, p.off), "more", hintSource)}
}

// sourceError classifies an error of Open or of a body.
func (r *run) sourceError(ctx context.Context, p *part, err error) error {
	file := p.asm.file
	if errors.Is(context.Cause(ctx), errStalled) {
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
	return a.restart(chooseSize(a.file, r.m.PartSize, a.file.Size, r.m.concurrency()))
}
