package replica

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"sync"
	"syscall"
	"time"
)

// Router spreads requests over the ready members of a set: to the one with the fewest in
// flight. Streams pass through unbuffered. A request that no engine has accepted goes to
// another replica; one that an engine has begun is never sent twice.
type Router struct {
	set    *Set
	proxy  httputil.ReverseProxy
	engine http.RoundTripper
}

// NewRouter returns a router before set. Its connections to engines use no proxy.
func NewRouter(set *Set) *Router {
	rt := &Router{set: set, engine: &http.Transport{
		MaxIdleConnsPerHost: 256,
		IdleConnTimeout:     2 * time.Second, // before any engine closes it: uvicorn does after 5 s
		DisableCompression:  true,            // bytes pass as the engine wrote them
	}}
	rt.proxy = httputil.ReverseProxy{
		Rewrite:       func(*httputil.ProxyRequest) {}, // the transport sets the address
		Transport:     rt,
		FlushInterval: -1,
		ErrorHandler:  rt.fail,
		ErrorLog:      slog.NewLogLogger(set.opts.Logger.Handler(), slog.LevelDebug),
	}
	return rt
}

// ServeHTTP implements http.Handler. Set r.GetBody where the request may be tried again.
func (rt *Router) ServeHTTP(w http.ResponseWriter, r *http.Request) { rt.proxy.ServeHTTP(w, r) }

var errNoReplica = errors.New("no replica is ready")

// RoundTrip implements http.RoundTripper: it picks a replica, and another one when the
// engine cannot be reached.
func (rt *Router) RoundTrip(r *http.Request) (*http.Response, error) {
	var tried []string
	for last := errNoReplica; ; {
		m := rt.set.pick(tried)
		if m == nil {
			return nil, last
		}
		resp, err := rt.send(r, m)
		if err == nil || !errors.Is(err, syscall.ECONNREFUSED) || r.Context().Err() != nil {
			return resp, err
		}
		tried, last = append(tried, m.ID), err
		if r.GetBody != nil {
			if r.Body, err = r.GetBody(); err != nil {
				return nil, err
			}
		}
	}
}

func (rt *Router) send(r *http.Request, m *member) (*http.Response, error) {
	endpoint := m.instance.Endpoint()
	out := r.Clone(r.Context())
	for _, h := range []string{"Idempotency-Key", "X-Idempotency-Key"} {
		out.Header.Del(h) // with them the transport would send what an engine has begun again
	}
	out.URL.Scheme, out.URL.Host, out.Host = endpoint.Scheme, endpoint.Host, endpoint.Host
	resp, err := rt.engine.RoundTrip(out)
	if err != nil {
		rt.set.release(m)
		return nil, err
	}
	resp.Body = &releasingBody{ReadCloser: resp.Body, release: func() { rt.set.release(m) }}
	return resp, nil
}

// releasingBody gives its replica back when the answer has ended.
type releasingBody struct {
	io.ReadCloser
	once    sync.Once
	release func()
}

func (b *releasingBody) Close() error {
	err := b.ReadCloser.Close()
	b.once.Do(b.release)
	return err
}

func (rt *Router) fail(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case errors.Is(err, context.Canceled) || r.Context().Err() != nil:
		w.WriteHeader(499) // the client has gone; the number is nginx's
	case errors.Is(err, errNoReplica), errors.Is(err, syscall.ECONNREFUSED):
		rt.unavailable(w)
	default:
		rt.set.opts.Logger.LogAttrs(r.Context(), slog.LevelWarn, "engine did not answer", slog.Any("err", err))
		writeError(w, http.StatusBadGateway, apiError{
			Type: "server_error", Code: "engine_error", Message: "the engine ended the connection without an answer; try again",
		})
	}
}

// unavailable tells a client to come back, and why it has to.
func (rt *Router) unavailable(w http.ResponseWriter) {
	message := "no replica is ready yet; the model is starting"
	if err := rt.set.LastErr(); err != nil {
		message = "no replica is ready: " + err.Error()
	}
	w.Header().Set("Retry-After", "1")
	writeError(w, http.StatusServiceUnavailable, apiError{Type: "server_error", Code: "not_ready", Message: message})
}
