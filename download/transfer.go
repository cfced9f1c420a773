package download

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// attempt opens what is left of the part once and takes what comes.
func (r *run) attempt(ctx context.Context, p *part) ([]*part, error) {
	if err := r.gate.wait(ctx); err != nil {
		return nil, err
	}
	buf, err := r.share.take(ctx, p.asm.file.Size)
	if err != nil {
		return nil, err
	}
	defer r.share.give(buf)
	defer r.meter.enter(p.asm.file.Path)()
	if err := p.asm.open(); err != nil {
		return nil, err
	}
	if err := p.asm.ordered.Load().catchUp(buf); err != nil {
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
func (r *run) copy(outer context.Context, p *part, buf []byte) error {
	ctx, cancel := context.WithCancelCause(outer)
	defer cancel(nil)
	f := r.watch.start(p, cancel)
	defer r.watch.end(f)
	p.began = p.pos.Load()
	end := p.end.Load()
	asked := time.Now()
	body, err := r.src.Open(ctx, p.asm.file, p.began, end-p.began)
	f.opened, f.latency = time.Now(), time.Since(asked)
	if err != nil {
		return r.sourceError(ctx, p, err)
	}
	defer body.Close() //nolint:errcheck // its bytes have been read
	p.asm.hearBody(body)
	r.ask(outer, p.asm)
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
		if err := p.reserve(claimed); err != nil { // while the bytes are on their way
			return err
		}
		n, readErr := r.fill(ctx, f, body, buf[:claimed])
		if n > 0 {
			if err := r.keep(p, buf, n); err != nil {
				return err
			}
			if f.ends() && r.ramp.eager() {
				r.queue.ends(p)
			}
		}
		if readErr != nil && p.missing() > 0 {
			return r.sourceError(ctx, p, readErr)
		}
	}
}

// keep writes the n bytes of buf and hashes what can be.
func (r *run) keep(p *part, buf []byte, n int) error {
	began := time.Now()
	defer func() { r.toil.Add(int64(time.Since(began))) }()
	if err := p.asm.write(p, buf[:n]); err != nil {
		return err
	}
	return p.asm.ordered.Load().chase(p, buf)
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
