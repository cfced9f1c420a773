//go:build linux

package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
)

// A link forwards connections to the source of the model, and can be cut: connections break
// and new ones find nobody who answers.
type link struct {
	Addr     string
	upstream string
	listener net.Listener

	mu    sync.Mutex
	down  bool
	conns map[net.Conn]bool
	wg    sync.WaitGroup
}

// newLink listens and forwards until close.
func newLink(ctx context.Context, upstream string) (*link, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	k := &link{Addr: l.Addr().String(), upstream: upstream, listener: l, conns: map[net.Conn]bool{}}
	k.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // close
			}
			k.wg.Go(func() { k.forward(ctx, c) })
		}
	})
	return k, nil
}

func (k *link) forward(ctx context.Context, c net.Conn) {
	defer k.drop(c)
	if !k.hold(c) {
		return
	}
	up, err := new(net.Dialer).DialContext(ctx, "tcp", k.upstream)
	if err != nil {
		return
	}
	defer k.drop(up)
	if !k.hold(up) {
		return
	}
	var both errgroup.Group
	both.Go(func() error { return pass(up, c) })
	both.Go(func() error { return pass(c, up) })
	_ = both.Wait() // a connection that ends is no error here
}

// pass copies until either side ends, which ends the other direction too.
func pass(to, from net.Conn) error {
	_, err := io.Copy(to, from)
	return errors.Join(err, to.Close(), from.Close())
}

// hold remembers c for cut, and reports whether the link is up.
func (k *link) hold(c net.Conn) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.conns[c] = true
	return !k.down
}

func (k *link) drop(c net.Conn) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.conns, c)
	_ = c.Close() // it may be closed already
}

// cut breaks what is connected, and every connection to come until mend.
func (k *link) cut()  { k.set(true) }
func (k *link) mend() { k.set(false) }

func (k *link) set(down bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.down = down
	if down {
		for c := range k.conns {
			_ = c.Close() // forward sees it
		}
	}
}

func (k *link) close() {
	k.cut()
	_ = k.listener.Close() // nobody is left to tell
	k.wg.Wait()
}

// files serves the folder of the model under every first element of the path, so that each
// revision of a configuration has a source of its own.
func files(dir string) http.Handler {
	serve := http.FileServer(http.Dir(dir))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		r.URL.Path = "/" + rest
		serve.ServeHTTP(w, r)
	})
}
