//go:build linux

package main

import (
	"context"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spinup-llm/spinup/replica"
)

// idHeader names a request, so that the picker knows it again.
const idHeader = "X-Chaos-Request"

// A load sends requests at a steady rate, whatever becomes of them, every second one a
// stream.
type load struct {
	url    string
	model  string
	client *http.Client
	ledger *ledger
	routes *routes

	serial  atomic.Int64
	running sync.WaitGroup // requests
}

// run sends until ctx ends; the requests go on.
func (l *load) run(ctx context.Context, rate float64) {
	ticker := time.NewTicker(time.Duration(float64(time.Second) / rate))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			l.send(context.WithoutCancel(ctx), 8+rand.IntN(32)) //nolint:gosec // chance, no secret
		}
	}
}

// send sends one request in a goroutine of its own.
func (l *load) send(ctx context.Context, tokens int) {
	n := l.serial.Add(1)
	l.running.Go(func() {
		id := strconv.FormatInt(n, 10)
		o := ask(ctx, l.client, l.url, question{id: id, model: l.model, tokens: tokens, stream: n%2 == 0})
		o.tries, o.touched = l.routes.take(id)
		l.ledger.request(o)
	})
}

// routes remembers where requests went.
type routes struct {
	mu    sync.Mutex
	sent  map[string][]string // replicas, by request
	hurt  map[string]bool     // replicas
	picks replica.Picker
}

func newRoutes() *routes {
	return &routes{sent: map[string][]string{}, hurt: map[string]bool{}, picks: replica.LeastOfTwo}
}

// pick is a replica.Picker.
func (r *routes) pick(p replica.Pick, from []replica.Replica) int {
	i := r.picks(p, from)
	r.mu.Lock()
	defer r.mu.Unlock()
	id := p.Header.Get(idHeader)
	r.sent[id] = append(r.sent[id], from[i].ID)
	return i
}

// spare reports a request under way that has lost an engine and may be at another.
func (r *routes) spare() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, sent := range r.sent {
		if len(sent) > 1 {
			return true
		}
	}
	return false
}

// strike notes that a replica is about to be broken.
func (r *routes) strike(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hurt[id] = true
}

// take returns how often a request was sent, and whether a fault was in its way.
func (r *routes) take(id string) (tries int, touched bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	sent := r.sent[id]
	delete(r.sent, id)
	return len(sent), len(sent) != 1 || slices.ContainsFunc(sent, func(s string) bool { return r.hurt[s] })
}
