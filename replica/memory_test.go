package replica_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/replica"
	"github.com/spinup-llm/spinup/replica/local"
	"github.com/stretchr/testify/require"
)

// memory is a machine of engines without a network, so that tests may run in a bubble of
// synctest: its engines serve handlers, start as long as they are told, and die on demand.
type memory struct {
	handler func(e *memEngine) http.HandlerFunc
	starts  time.Duration
	fail    func(serial int) error

	mu      sync.Mutex
	engines []*memEngine // all there were
	peak    int          // most at one time
}

// memEngine is an Instance and a Checker.
type memEngine struct {
	serial int
	gone   context.Context //nolint:containedctx // an engine's life
	die    context.CancelCauseFunc
	mu     sync.Mutex
	hangs  bool  // gives no sign of life
	sick   error // what Alive says
	full   bool  // takes the requests it has, answers no other, and is alive
	load   func(engine.Load) (engine.Load, error)
	stops  int
}

func (m *memory) start(ctx context.Context, _ lifecycle.Scope, _ replica.Node) (replica.Instance, error) {
	select {
	case <-time.After(m.starts):
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	e := &memEngine{serial: len(m.engines) + 1}
	m.engines = append(m.engines, e)
	e.gone, e.die = context.WithCancelCause(context.WithoutCancel(ctx))
	if m.fail != nil {
		if err := m.fail(e.serial); err != nil {
			e.die(err)
			return nil, err
		}
	}
	living := 0
	for _, o := range m.engines {
		if o.gone.Err() == nil {
			living++
		}
	}
	m.peak = max(m.peak, living)
	return e, nil
}

func (m *memory) at(serial int) *memEngine {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.engines[serial-1]
}

func (m *memory) started() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.engines)
}

func (e *memEngine) Endpoint() *url.URL {
	return &url.URL{Scheme: "http", Host: fmt.Sprint("engine:", e.serial)}
}
func (e *memEngine) Down() <-chan struct{} { return e.gone.Done() }
func (e *memEngine) Done() <-chan struct{} { return e.gone.Done() }
func (e *memEngine) Err() error {
	if err := context.Cause(e.gone); !errors.Is(err, errAsked) {
		return err
	}
	return nil
}

var errAsked = errors.New("stopped as asked")

func (e *memEngine) Stop(context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stops++
	e.die(errAsked)
	return nil
}

func (e *memEngine) Alive(ctx context.Context) error {
	e.mu.Lock()
	hangs, sick := e.hangs, e.sick
	e.mu.Unlock()
	if hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	return sick
}

func (e *memEngine) Answers(ctx context.Context) error {
	e.mu.Lock()
	full := e.full
	e.mu.Unlock()
	if full {
		<-ctx.Done()
		return ctx.Err()
	}
	return e.Alive(ctx)
}

func (e *memEngine) Kill(ctx context.Context, _ error) error { return e.Stop(ctx) }

// Load tells the engine's number as its running requests.
func (e *memEngine) Load(context.Context) (engine.Load, error) {
	l := engine.Load{Running: e.serial, KVUsage: .5}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.load != nil {
		return e.load(l)
	}
	return l, nil
}

func (e *memEngine) set(change func(e *memEngine)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	change(e)
}

// RoundTrip implements http.RoundTripper: it runs the handler of the engine that is asked.
func (m *memory) RoundTrip(r *http.Request) (*http.Response, error) {
	var serial int
	_, _ = fmt.Sscanf(r.URL.Host, "engine:%d", &serial)
	e := m.at(serial)
	if e.gone.Err() != nil {
		return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	}
	ctx, cancel := context.WithCancel(r.Context())
	body, out := io.Pipe()
	w := &memWriter{out: out, header: http.Header{}, begun: make(chan struct{})}
	context.AfterFunc(e.gone, func() { _ = out.CloseWithError(syscall.ECONNRESET); cancel() })
	context.AfterFunc(r.Context(), func() { _ = out.CloseWithError(context.Cause(r.Context())) })
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer func() {
			if recover() != nil {
				_ = out.CloseWithError(io.ErrUnexpectedEOF)
			}
			_ = out.Close()
			cancel()
		}()
		m.handler(e)(w, r.WithContext(ctx))
		w.WriteHeader(http.StatusOK)
	}()
	select {
	case <-w.begun:
		return &http.Response{
			StatusCode: w.status, Status: http.StatusText(w.status), Header: w.header, Body: body, ContentLength: -1, Request: r,
			Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		}, nil
	case <-e.gone.Done():
		return nil, syscall.ECONNRESET
	case <-r.Context().Done():
		return nil, context.Cause(r.Context())
	case <-ended:
		select {
		case <-w.begun:
			return &http.Response{StatusCode: w.status, Header: w.header, Body: body, ContentLength: -1, Request: r}, nil
		default:
			return nil, io.EOF // cut before a header
		}
	}
}

type memWriter struct {
	out    *io.PipeWriter
	header http.Header
	status int
	once   sync.Once
	begun  chan struct{}
}

func (w *memWriter) Header() http.Header { return w.header }
func (w *memWriter) WriteHeader(status int) {
	w.once.Do(func() {
		w.status = status
		close(w.begun)
	})
}

func (w *memWriter) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.out.Write(p)
}

// serving starts a set of n replicas on m with a router before it, until the test ends.
func serving(t *testing.T, m *memory, n int, tune func(*replica.SetOptions)) (*replica.Set, http.Handler, *lifecycle.Log) {
	t.Helper()
	return servingWith(t, m, m.start, n, tune)
}

func servingWith(t *testing.T, m *memory, start replica.Start, n int, tune func(*replica.SetOptions)) (*replica.Set, http.Handler, *lifecycle.Log) {
	t.Helper()
	log := lifecycle.NewLog()
	o := &replica.SetOptions{
		Scope: lifecycle.Scope{Emit: log.Append, Model: "m"}, Logger: slog.New(slog.DiscardHandler),
	}
	if tune != nil {
		tune(o)
	}
	set := replica.NewSet(new(local.Provisioner), start, o)
	if o.Scale == nil {
		set.Want(n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = set.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return set, replica.NewRouter(set).Via(m), log
}

// ask sends a request whose body may be sent again.
func ask(ctx context.Context, h http.Handler, header ...string) *httptest.ResponseRecorder {
	const body = `{"model":"m"}`
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/v1/completions", strings.NewReader(body))
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(body)), nil }
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	defer func() {
		if v := recover(); v != nil && v != http.ErrAbortHandler { //nolint:errorlint // a value, not an error
			panic(v)
		}
	}()
	h.ServeHTTP(w, r)
	return w
}

// ok answers at once.
func ok(*memEngine) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }
}

func waitReady(t *testing.T, set *replica.Set, n int) {
	t.Helper()
	require.NoError(t, set.Await(t.Context(), n))
}
