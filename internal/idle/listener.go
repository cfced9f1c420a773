package idle

import (
	"net"
	"net/http"
	"sync"
	"time"
)

// quiet is how long a connection has to do nothing until it is parked. One in use does not get
// there, and pays nothing.
const quiet = time.Second

// A Listener is a net.Listener for one http.Server, whose ConnState is its State.
type Listener struct {
	net.Listener
	timeout time.Duration // of a connection without a request
	ready   chan accepted
	done    chan struct{} // closed by Close
	running sync.WaitGroup

	mu     sync.Mutex
	closed bool
	parked map[*net.TCPConn]bool
}

// accepted is a result of Accept.
type accepted struct {
	conn net.Conn
	err  error
}

// Listen parks TCP connections of l; others stay as they are. One that sends no request for
// timeout is closed. Close ends it, with all that is parked.
func Listen(l net.Listener, timeout time.Duration) *Listener {
	p := &Listener{
		Listener: l, timeout: timeout, ready: make(chan accepted), done: make(chan struct{}), parked: map[*net.TCPConn]bool{},
	}
	p.running.Go(p.accept)
	return p
}

// accept takes what is new.
func (l *Listener) accept() {
	for {
		c, err := l.Listener.Accept()
		if tcp, ok := c.(*net.TCPConn); ok {
			c = &conn{TCPConn: tcp, lot: l}
		}
		select {
		case l.ready <- accepted{c, err}:
		case <-l.done:
			if err == nil {
				_ = c.Close()
			}
			return
		}
	}
}

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case a := <-l.ready:
		return a.conn, a.err
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// State is for http.Server.ConnState.
func (l *Listener) State(c net.Conn, s http.ConnState) {
	if c, ok := c.(*conn); ok {
		c.idle.Store(s == http.StateIdle)
	}
}

// Close ends the listener and the connections that are parked. It waits for their goroutines.
func (l *Listener) Close() error {
	l.mu.Lock()
	if !l.closed {
		l.closed = true
		close(l.done)
	}
	for c := range l.parked {
		_ = c.Close()
	}
	l.mu.Unlock()
	err := l.Listener.Close()
	l.running.Wait()
	return err
}

// park keeps c until it has a byte to read, its time is over, or the listener is closed.
func (l *Listener) park(c *net.TCPConn) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return c.Close()
	}
	l.parked[c] = true
	l.running.Go(func() { l.wait(c) })
	return nil
}

func (l *Listener) wait(c *net.TCPConn) {
	first := make([]byte, 1)
	_ = c.SetReadDeadline(time.Now().Add(l.timeout)) // what fails here fails in Read
	n, _ := c.Read(first)
	l.mu.Lock()
	delete(l.parked, c)
	l.mu.Unlock()
	if n == 0 {
		_ = c.Close() // the client has, or its time is over
		return
	}
	_ = c.SetReadDeadline(time.Time{})
	select {
	case l.ready <- accepted{conn: &conn{TCPConn: c, lot: l, first: first}}:
	case <-l.done:
		_ = c.Close()
	}
}
