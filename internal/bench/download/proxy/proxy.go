//go:build linux

package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// A Proxy forwards connections. Set its fields before Serve, which may be called for
// several listeners; they count together.
type Proxy struct {
	Delay time.Duration // of a new connection, and of each byte from the client
	Rate  int           // bytes per second of each connection to the client; 0 means no limit

	requests, bytes, open atomic.Int64
}

// Counts are what has passed so far.
type Counts struct {
	Requests int64 // of HTTP/1.1 in the clear, without bodies
	Bytes    int64 // to clients, with headers, of connections that have ended
	Open     int64 // connections that have not ended
}

// Counts may be called at any time.
func (p *Proxy) Counts() Counts { return Counts{p.requests.Load(), p.bytes.Load(), p.open.Load()} }

// Serve forwards what l accepts to an upstream, "unix:PATH" or "HOST:PORT", until ctx ends.
func (p *Proxy) Serve(ctx context.Context, l net.Listener, upstream string) error {
	stop := context.AfterFunc(ctx, func() { _ = l.Close() }) // Accept tells
	defer stop()
	var all sync.WaitGroup
	defer all.Wait()
	for {
		c, err := l.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return nil
			}
			return err
		}
		p.open.Add(1)
		all.Go(func() {
			defer p.open.Add(-1)
			p.forward(ctx, c, upstream)
		})
	}
}

func (p *Proxy) forward(ctx context.Context, client net.Conn, upstream string) {
	defer client.Close() //nolint:errcheck // whatever is wrong with it, it is over
	if p.Rate > 0 {
		pace(client, p.Rate)
	}
	wait(ctx, p.Delay)
	network := "tcp"
	if path, ok := strings.CutPrefix(upstream, "unix:"); ok {
		network, upstream = "unix", path
	}
	server, err := new(net.Dialer).DialContext(ctx, network, upstream)
	if err != nil {
		return // the client sees a connection that ends
	}
	defer server.Close() //nolint:errcheck // see above
	stop := context.AfterFunc(ctx, func() { _, _ = client.Close(), server.Close() })
	defer stop()
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.up(ctx, client, server)
		closeWrite(server)
	}()
	n, _ := io.Copy(client, server) // it ends when either side does
	p.bytes.Add(n)
	_ = client.Close()
	<-done
}

// up carries what the client says, each piece after the delay.
func (p *Proxy) up(ctx context.Context, client io.Reader, server io.Writer) {
	type piece struct {
		due  time.Time
		data []byte
	}
	pieces := make(chan piece, 256)
	go func() {
		defer close(pieces)
		for {
			buf := make([]byte, 16<<10)
			n, err := client.Read(buf)
			if n > 0 {
				pieces <- piece{time.Now().Add(p.Delay), buf[:n]}
			}
			if err != nil {
				return
			}
		}
	}()
	var heads heads
	for piece := range pieces {
		p.requests.Add(heads.count(piece.data))
		wait(ctx, time.Until(piece.due))
		_, _ = server.Write(piece.data) // the other direction notices when it is gone
	}
}

// heads counts the ends of HTTP/1.1 heads in a stream.
type heads struct{ seen int }

func (h *heads) count(data []byte) (n int64) {
	const end = "\r\n\r\n"
	for _, c := range data {
		switch c {
		case end[h.seen]:
			h.seen++
		case '\r':
			h.seen = 1
		default:
			h.seen = 0
		}
		if h.seen == len(end) {
			h.seen = 0
			n++
		}
	}
	return n
}

// pace has the kernel spread what is sent on c.
func pace(c net.Conn, rate int) {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return
	}
	if raw, err := tcp.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { // a kernel without it is noticed in the figures
			_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_MAX_PACING_RATE, rate)
		})
	}
}

func closeWrite(c net.Conn) {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite() // it may have ended
	}
}

func wait(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
