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
		start, others := p.pos.Load(), r.meter.fetched()
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
		brought := p.pos.Load() - start
		if lifecycle.KindOf(err) == lifecycle.Timeout { // it may wait for its turn: see source/internal/streams
			brought = max(brought, r.meter.fetched()-others)
		}
		wait, again := policy.next(err, brought)
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
func (r *run) mismatch(ctx context.Context, a *assembly, want source.Digest, sum []byte) ([]*part, error) {
	got := want.Algorithm + ":" + hex.EncodeToString(sum)
	if a.refetched {
		if err := a.discard(); err != nil {
			return nil, err
		}
		return nil, corrupt("download.Run", a.file.Path, want.String(), got, hintSource)
	}
	r.log.WarnContext(ctx, "file had wrong bytes and is fetched once more", slog.String("file", a.file.Path),
		slog.String("expected", want.String()), slog.String("got", got))
	r.meter.add(-a.file.Size)
	return a.restart(chooseSize(a.file, r.m.PartSize, a.file.Size, r.budget.connections()))
}
