//go:build linux

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/spinup-llm/spinup/internal/bench"
)

// connections opens many and looks at the memory of the door.
func connections(ctx context.Context, s settings, p *process, out io.Writer) error {
	table := bench.Table{Header: []string{"connections", "MB of the door"}}
	note := func(name string) error {
		mb, err := p.rss()
		table.Rows = append(table.Rows, []string{name, figure(mb)})
		return err
	}
	if err := note("none"); err != nil {
		return err
	}
	held := &holder{addr: strings.TrimPrefix(p.url, "http://")}
	defer held.close()
	for range s.idle {
		if err := held.open(ctx, question{}); err != nil {
			return err
		}
	}
	if err := note(fmt.Sprintf("%d idle, after a request each", s.idle)); err != nil {
		return err
	}
	for range s.active {
		if err := held.open(ctx, question{Tokens: 1 << 30, Every: 1e6}); err != nil {
			return err
		}
	}
	if err := held.begun(s.idle); err != nil {
		return err
	}
	if err := note(fmt.Sprintf("and %d with a stream", s.active)); err != nil {
		return err
	}
	table.Text(out)
	return nil
}

// A holder keeps connections open.
type holder struct {
	addr string
	all  []net.Conn
}

// open asks q over a new connection, and reads the answer, or the beginning of a stream.
func (h *holder) open(ctx context.Context, q question) error {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", h.addr)
	if err != nil {
		return fmt.Errorf("connection %d: %w", len(h.all)+1, err)
	}
	h.all = append(h.all, c)
	body := fmt.Sprintf(`{"model":"m","max_tokens":%d,"every":%d}`, q.Tokens, q.Every)
	if _, err = fmt.Fprintf(c, "POST /v1/completions HTTP/1.1\r\nHost: door\r\nContent-Length: %d\r\n\r\n%s", len(body), body); err != nil {
		return err
	}
	if q.Tokens > 0 {
		return nil // see begun
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// begun waits until the streams that were opened after the first n connections have begun.
func (h *holder) begun(n int) error {
	for _, c := range h.all[n:] {
		if _, err := c.Read(make([]byte, 1)); err != nil {
			return err
		}
	}
	return nil
}

func (h *holder) close() {
	for _, c := range h.all {
		_ = c.Close()
	}
}
