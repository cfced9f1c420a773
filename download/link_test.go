package download_test

import (
	"context"
	"io"
	"sync"
	"time"
)

// A link makes the bodies of a memory arrive as over a network, in the time of a synctest
// bubble.
type link struct {
	each  float64       // bytes per second of a connection
	total float64       // of all together; 0 means no limit
	delay time.Duration // of the answer to a question

	mu   sync.Mutex
	open int
	most int // that were open at the same time
}

// body is data over one connection at the given speed, 0 being that of the link.
func (l *link) body(ctx context.Context, data []byte, speed float64) io.ReadCloser {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open++
	l.most = max(l.most, l.open)
	return &linked{link: l, ctx: ctx, data: data, speed: speed}
}

// faults is what memory.fault may be.
func (l *link) faults(s *memory) func(call) (io.ReadCloser, error) {
	return func(c call) (io.ReadCloser, error) {
		l.wait()
		return counts{l.body(c.ctx, c.data, 0), s}, nil
	}
}

// wait is for the answer.
func (l *link) wait() { <-time.After(l.delay) }

// counts tells the memory what is read.
type counts struct {
	io.ReadCloser
	s *memory
}

func (c counts) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.s.served += int64(n)
	return n, err
}

type linked struct {
	link  *link
	ctx   context.Context //nolint:containedctx // it lives as long as the call
	data  []byte
	speed float64
	once  sync.Once
}

// tick is the time between two packets.
const tick = 50 * time.Millisecond

func (b *linked) Read(p []byte) (int, error) {
	if len(b.data) == 0 {
		return 0, io.EOF
	}
	select {
	case <-time.After(tick):
	case <-b.ctx.Done():
		return 0, b.ctx.Err()
	}
	n := copy(p[:min(len(p), b.allowance())], b.data)
	b.data = b.data[n:]
	return n, nil
}

func (b *linked) allowance() int {
	b.link.mu.Lock()
	defer b.link.mu.Unlock()
	speed := b.speed
	if speed == 0 {
		speed = b.link.each
	}
	if share := b.link.total / float64(b.link.open); b.link.total > 0 {
		speed = min(speed, share)
	}
	return max(int(speed*tick.Seconds()), 1)
}

func (b *linked) Close() error {
	b.once.Do(func() {
		b.link.mu.Lock()
		defer b.link.mu.Unlock()
		b.link.open--
	})
	return nil
}
