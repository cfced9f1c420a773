//go:build linux

package servers

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/spinup-llm/spinup/internal/bench/download/proxy"
)

// A Shape makes a link slow. The zero value does not.
type Shape struct {
	Namespace *Namespace    // where the client runs; nil is where everything does
	Delay     time.Duration // of new connections and of what the client says
	Rate      int           // bytes per second of each connection
}

// A Link stands between a client and the ports of a server, and counts.
type Link struct {
	shape Shape
	addrs []string
	proxy Server
	in    io.WriteCloser
	out   *bufio.Reader
}

// NewLink reserves n addresses for clients.
func NewLink(ctx context.Context, shape Shape, n int) (*Link, error) {
	l := &Link{shape: shape}
	for i := range n {
		addr := "127.0.0.1:" + strconv.Itoa(7001+i) // in a namespace of one's own all are free
		if shape.Namespace == nil {
			var err error
			if addr, err = freeAddr(ctx); err != nil {
				return nil, err
			}
		}
		l.addrs = append(l.addrs, addr)
	}
	return l, nil
}

// Origin is the i-th address, as a client is told.
func (l *Link) Origin(i int, secure bool) string { return scheme(secure) + l.addrs[i] }

// URL is what clients on this side of the link are told of s.
func (l *Link) URL(s *Server) string {
	scheme, _, _ := strings.Cut(s.url, "://")
	return scheme + "://" + l.addrs[0]
}

// Wrap has a command run on the client's side.
func (l *Link) Wrap(argv []string) []string {
	if l.shape.Namespace == nil {
		return argv
	}
	return l.shape.Namespace.wrap(argv)
}

// Connect starts forwarding to the ports of s.
func (l *Link) Connect(ctx context.Context, s *Server) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	argv := []string{self, "proxy", "-delay", l.shape.Delay.String(), "-rate", strconv.Itoa(l.shape.Rate)}
	for i, addr := range l.addrs {
		upstream := "unix:" + s.Ports[i].Socket
		if s.Ports[i].Socket == "" {
			upstream = s.Ports[i].Addr
		}
		argv = append(argv, addr+"="+upstream)
	}
	argv = l.Wrap(argv)
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...) //nolint:gosec // this program
	if l.in, err = cmd.StdinPipe(); err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	l.out = bufio.NewReader(out)
	if err = l.proxy.start(cmd); err != nil {
		return err
	}
	_, err = l.ask() // it answers once it listens
	return err
}

// Counts waits until all connections have ended, for a moment, and returns what has passed
// since the link was connected.
func (l *Link) Counts(ctx context.Context) (proxy.Counts, error) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range 200 {
		c, err := l.ask()
		if err != nil || c.Open == 0 {
			return c, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return c, ctx.Err()
		}
	}
	return proxy.Counts{}, errors.New("connections of a client outlive it")
}

func (l *Link) ask() (c proxy.Counts, err error) {
	if _, err = io.WriteString(l.in, "\n"); err != nil {
		return c, err
	}
	line, err := l.out.ReadBytes('\n')
	if err != nil {
		return c, err
	}
	return c, json.Unmarshal(line, &c)
}

// Close ends the link, not the server.
func (l *Link) Close() { l.proxy.Close() }
