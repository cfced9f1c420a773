package replica_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/replica"
	"github.com/spinup-llm/spinup/replica/local"
	"github.com/stretchr/testify/require"
)

// fake is an engine that a test can kill.
type fake struct {
	server *httptest.Server
	done   chan struct{}
	once   sync.Once
	err    error
	stops  chan struct{} // receives at each Stop
}

func newFake(h http.Handler) *fake {
	return &fake{server: httptest.NewServer(h), done: make(chan struct{}), stops: make(chan struct{}, 10)}
}

func (f *fake) Endpoint() *url.URL {
	u, _ := url.Parse(f.server.URL)
	return u
}
func (f *fake) Down() <-chan struct{} { return f.done }
func (f *fake) Done() <-chan struct{} { return f.done }
func (f *fake) Err() error            { return f.err }

func (f *fake) Stop(context.Context) error {
	f.stops <- struct{}{}
	f.end(nil)
	return nil
}

func (f *fake) end(err error) {
	f.once.Do(func() {
		f.err = err
		f.server.CloseClientConnections()
		f.server.Close()
		close(f.done)
	})
}

var errKilled = &lifecycle.Error{Op: "engine", Kind: lifecycle.EngineFailed, Err: errors.New("signal: killed")}

// fleet makes fakes and remembers them.
type fleet struct {
	mu      sync.Mutex
	handler http.Handler
	fakes   []*fake
	fail    func(attempt int) error
}

func (f *fleet) start(context.Context, lifecycle.Scope, replica.Node) (replica.Instance, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail != nil {
		if err := f.fail(len(f.fakes) + 1); err != nil {
			f.fakes = append(f.fakes, nil)
			return nil, err
		}
	}
	h := f.handler
	if h == nil {
		h = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok")) })
	}
	e := newFake(h)
	f.fakes = append(f.fakes, e)
	return e, nil
}

func (f *fleet) at(i int) *fake {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fakes[i]
}

func (f *fleet) attempts() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.fakes)
}

// running starts a set of n replicas, where no request waits, and stops it at the end of the
// test.
func running(t *testing.T, f *fleet, n int) (set *replica.Set, log *lifecycle.Log, stop func()) {
	t.Helper()
	log = lifecycle.NewLog()
	set = replica.NewSet(new(local.Provisioner), f.start, &replica.SetOptions{
		Scope:   lifecycle.Scope{Emit: log.Append, Model: "m"},
		Restart: func(int) time.Duration { return 50 * time.Millisecond },
		Drain:   5 * time.Second,
		Limits:  replica.Limits{WaitingFor: -1},
		Logger:  slog.New(slog.DiscardHandler),
	})
	set.Want(n)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- set.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		<-ended
	})
	t.Cleanup(stop)
	return set, log, stop
}

func ready(t *testing.T, set *replica.Set, n int) {
	t.Helper()
	require.NoError(t, set.Await(t.Context(), n))
}
