package otlp

import (
	"context"
	"crypto/rand"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// tracesPath is what the protocol appends to a base URL.
const tracesPath = "/v1/traces"

// Receiver is an HTTP server on loopback. Make one with Listen; its methods are safe for
// concurrent use.
type Receiver struct {
	base   *url.URL
	server *http.Server
	done   chan struct{} // closed when the server has ended

	mu        sync.Mutex
	endpoints map[string]*Endpoint // by the secret part of the path
}

// Listen starts a receiver on a free port. It lives until Close; ctx bounds the listening
// only.
func Listen(ctx context.Context) (*Receiver, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &Receiver{
		base: &url.URL{Scheme: "http", Host: l.Addr().String()},
		done: make(chan struct{}), endpoints: map[string]*Endpoint{},
	}
	r.server = &http.Server{Handler: r, ReadTimeout: 10 * time.Second, WriteTimeout: time.Minute, IdleTimeout: time.Minute}
	go func() {
		defer close(r.done)
		_ = r.server.Serve(l) // ends with Close
	}()
	return r, nil
}

// Close ends the server and every endpoint. It may be called again.
func (r *Receiver) Close() error {
	err := r.server.Close()
	<-r.done
	r.mu.Lock()
	open := make([]*Endpoint, 0, len(r.endpoints))
	for _, e := range r.endpoints {
		open = append(open, e)
	}
	r.mu.Unlock()
	for _, e := range open {
		e.Close()
	}
	return err
}

// Endpoint is where one sender sends to.
type Endpoint struct {
	URL *url.URL // whole, the path of the signal included; a secret

	key      string
	receiver *Receiver
	mu       sync.Mutex
	deliver  func([]Span) // nil after Close
}

// Open returns a new endpoint. Calls of deliver do not overlap; the sender waits for them.
func (r *Receiver) Open(deliver func([]Span)) *Endpoint {
	key := rand.Text()
	e := &Endpoint{URL: r.base.JoinPath(key, tracesPath), key: key, receiver: r, deliver: deliver}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.endpoints[key] = e
	return e
}

// Close forgets the endpoint: senders get 404 from here on. When it has returned, no call
// of deliver is under way. It may be called again, but not by deliver.
func (e *Endpoint) Close() {
	e.receiver.mu.Lock()
	delete(e.receiver.endpoints, e.key)
	e.receiver.mu.Unlock()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.deliver = nil
}

func (e *Endpoint) pass(spans []Span) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.deliver != nil && len(spans) > 0 {
		e.deliver(spans)
	}
}

// find returns the endpoint of a path, or nil. The key has 128 bits, so that the time a
// map takes tells nothing of use.
func (r *Receiver) find(path string) *Endpoint {
	key, ok := strings.CutSuffix(strings.TrimPrefix(path, "/"), tracesPath)
	if !ok {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.endpoints[key]
}
