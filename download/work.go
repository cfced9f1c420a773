package download

import (
	"context"
	"time"
)

// work fetches parts until there are none, or one fails.
func (r *run) work(ctx context.Context) error {
	for {
		p, ok := r.queue.next()
		if !ok {
			return ctx.Err()
		}
		more, err := r.fetch(ctx, p)
		if err != nil {
			return err
		}
		r.queue.done(p, more)
	}
}

// steer looks after the ranges in flight and adapts their number until ctx ends.
func (r *run) steer(ctx context.Context) {
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	before, busy := r.meter.work(), 0
	for {
		select {
		case now := <-ticker.C:
			r.watch.look(now)
			r.watch.yield(r.share.excess())
			work := r.meter.work()
			allowed := r.ramp.next(work-before, busy, time.Duration(r.toil.Swap(0)))
			r.queue.learn(r.ramp.outlook())
			busy = r.queue.allow(allowed)
			before = work
		case <-ctx.Done():
			return
		}
	}
}

// landed takes note that p is complete. The worker that lands the last part of a file
// verifies and publishes it; parts are returned when it has to be fetched once more.
func (r *run) landed(ctx context.Context, p *part, buf []byte) ([]*part, error) {
	a := p.asm
	r.meter.request()
	if err := a.ordered.Load().catchUp(buf); err != nil {
		return nil, err
	}
	if a.left.Add(-1) > 0 {
		return nil, nil
	}
	f, err := r.settle(ctx, a)
	if err != nil {
		return nil, err
	}
	if f.Digest.Known() {
		sum, err := a.sum(f.Digest, buf)
		if err != nil {
			return nil, err
		}
		if sum != nil && !f.Digest.Equal(sum) {
			return r.mismatch(ctx, a, f.Digest, sum)
		}
	}
	if err := a.publish(f, r.notes.add); err != nil {
		return nil, err
	}
	r.meter.fileDone()
	if r.plan.published != nil {
		r.plan.published(f)
	}
	return nil, nil
}
