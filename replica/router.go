package replica

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/http/httputil"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/spinup-llm/spinup/lifecycle"
)

// Router spreads requests over the ready members of a set, as its Picker chooses, and lets
// them wait while there is none. Streams pass through unbuffered. A request that has had no
// byte of its answer is tried on another replica when its engine fails; one that has is
// never sent twice: its stream ends with an event that holds an error.
type Router struct {
	set    *Set
	proxy  httputil.ReverseProxy
	engine http.RoundTripper
	chunks chunks
	seed   maphash.Seed
}

// NewRouter returns a router before set. Its connections to engines use no proxy.
func NewRouter(set *Set) *Router {
	rt := &Router{set: set, seed: maphash.MakeSeed(), engine: &http.Transport{
		MaxIdleConnsPerHost: 256,
		IdleConnTimeout:     2 * time.Second, // before any engine closes it: uvicorn does after 5 s
		DisableCompression:  true,            // bytes pass as the engine wrote them
	}}
	rt.proxy = httputil.ReverseProxy{
		Rewrite:        oneHop, // the transport sets the address
		Transport:      rt,
		FlushInterval:  -1,
		BufferPool:     &rt.chunks,
		ModifyResponse: explain,
		ErrorHandler:   rt.fail,
		ErrorLog:       slog.NewLogLogger(set.opts.Logger.Handler(), slog.LevelDebug),
	}
	return rt
}

// oneHop leaves out what concerns the connection to the door alone: it speaks no other protocol, and
// has the body already. What the proxy passes on of an offer to change the protocol (h2c, by Java's
// client) has uvicorn drop the body, and the engine's "100 Continue" would clear the door's headers.
func oneHop(p *httputil.ProxyRequest) {
	for _, key := range []string{"Connection", "Upgrade", "Expect"} {
		p.Out.Header.Del(key)
	}
}

// ServeHTTP implements http.Handler. Set r.GetBody where the request may be tried again.
func (rt *Router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if limit := rt.set.limits().Request; limit > 0 {
		ctx, cancel := context.WithTimeoutCause(r.Context(), limit, errLate)
		defer cancel()
		r = r.WithContext(ctx)
	}
	rt.proxy.ServeHTTP(w, r)
}

var (
	errLate   = errors.New("the answer took longer than a request may")
	errEngine = errors.New("the engine ended the connection without an answer")
)

// RoundTrip implements http.RoundTripper: it returns once the first byte of an answer is
// there, and tries another replica where that does not come, or where the engine says that it
// has no room now.
func (rt *Router) RoundTrip(r *http.Request) (*http.Response, error) {
	pick, caller := Pick{Header: r.Header, Body: beginning(r), Adapter: adapterOf(r)}, rt.caller(r)
	if r.GetBody != nil && !rewind(r) { // the proxy has wrapped it: it could not be sent with the header in one write
		return nil, errLetGo
	}
	if pick.Adapter != "" {
		if err := rt.set.bring(r.Context(), pick.Adapter); err != nil {
			return nil, err
		}
	}
	var on trail
	for {
		h, err := rt.set.acquire(r.Context(), pick, caller, on.tried)
		if err != nil {
			return on.end(r.Context(), err)
		}
		m := h.member
		resp, failure := rt.send(r, h)
		if failure == nil {
			begun(r)
			return resp, nil
		}
		if _, own := errors.AsType[*adapterError](failure); own {
			return nil, failure
		}
		serves := isRefusal(resp) || rt.serves(r.Context(), m, failure)
		if resp != nil && serves && !hasNoRoom(resp) {
			return resp, nil // the engine's own word on this request
		}
		on.note(m, resp, failure, serves)
		if r.Context().Err() != nil { // nobody waits for an answer
			return on.end(r.Context(), nil)
		}
		rt.set.opts.Logger.LogAttrs(r.Context(), slog.LevelWarn, "engine did not answer",
			slog.String("replica", m.ID), slog.String("request", r.Header.Get(requestID)),
			slog.Bool("serves", serves), slog.Any("err", failure))
		if len(on.tried) == tries || !rewind(r) {
			return on.end(r.Context(), errOnlyTried)
		}
	}
}

// serves finds out whether m serves after failure. One of this side says nothing of m; what
// is short here may be there a little later.
func (rt *Router) serves(ctx context.Context, m *member, failure error) bool {
	if ctx.Err() != nil || !isOurs(failure) {
		return ctx.Err() == nil && rt.set.doubt(ctx, m, failure)
	}
	select {
	case <-time.After(askEvery):
		return true
	case <-ctx.Done():
		return false
	}
}

// send returns the answer of m once its first byte is there. An error with an answer is
// for one that may be of a dying engine.
func (rt *Router) send(r *http.Request, h hold) (*http.Response, error) {
	endpoint := h.member.instance.Endpoint()
	out := r.Clone(r.Context())
	for _, h := range []string{"Idempotency-Key", "X-Idempotency-Key"} {
		out.Header.Del(h) // with them the transport would send what an engine has begun again
	}
	out.URL.Scheme, out.URL.Host, out.Host = endpoint.Scheme, endpoint.Host, endpoint.Host
	err := rt.set.prepare(r.Context(), h)
	if err == nil {
		err = rt.set.awake(r.Context(), h.member)
	}
	var resp *http.Response
	if err == nil {
		resp, err = rt.engine.RoundTrip(out)
	}
	if err == nil && resp.StatusCode == http.StatusSwitchingProtocols {
		_, err = resp.Body.Close(), errors.New("the engine changed the protocol, unasked")
	}
	if err != nil {
		rt.set.release(h)
		return nil, err
	}
	a := &answer{ReadCloser: resp.Body, set: rt.set, hold: h, request: r.Context, events: isEvents(resp)}
	resp.Body = a
	buf := rt.chunks.Get()
	defer rt.chunks.Put(buf)
	if err := a.begin(buf); err != nil {
		_ = a.Close()
		return nil, err
	}
	if resp.StatusCode >= http.StatusInternalServerError || hasNoRoom(resp) {
		return resp, fmt.Errorf("the engine answered %s", resp.Status)
	}
	if a.events && a.beginsWithError() {
		return resp, errors.New("the engine began its answer with an error")
	}
	h.member.answered.Store(true)
	return resp, nil
}

// rewind makes r's body readable from the start again, if that is possible.
func rewind(r *http.Request) bool {
	if r.Body == nil || r.Body == http.NoBody {
		return true
	}
	if r.GetBody == nil {
		return false
	}
	body, err := r.GetBody()
	r.Body = body
	return err == nil
}

// beginning is what a picker may look at of r's body.
func beginning(r *http.Request) []byte {
	if r.GetBody == nil {
		return nil
	}
	body, err := r.GetBody()
	if err != nil {
		return nil
	}
	defer func() { _ = body.Close() }()
	size := int64(64 << 10)
	if r.ContentLength > 0 {
		size = min(size, r.ContentLength)
	}
	b := make([]byte, size)
	n, _ := io.ReadFull(body, b)
	return b[:n]
}

// caller names who sends r without keeping his key.
func (rt *Router) caller(r *http.Request) string {
	key := r.Header.Get("Authorization")
	if key == "" {
		return ""
	}
	return strconv.FormatUint(maphash.String(rt.seed, key), 36)
}

func isDial(err error) bool {
	e, ok := errors.AsType[*net.OpError](err)
	return ok && e.Op == "dial"
}

// isOurs reports a connection that failed before it could reach anybody.
func isOurs(err error) bool {
	return isDial(err) && slices.ContainsFunc([]error{
		syscall.EMFILE, syscall.ENFILE, syscall.EADDRNOTAVAIL, syscall.ENOBUFS, syscall.ENOMEM,
	}, func(ours error) bool { return errors.Is(err, ours) })
}

func (rt *Router) fail(w http.ResponseWriter, r *http.Request, err error) {
	refused, isRefusal := errors.AsType[*refusal](err)
	adapter, isAdapter := errors.AsType[*adapterError](err)
	switch {
	case errors.Is(context.Cause(r.Context()), errLate):
		writeError(w, http.StatusGatewayTimeout, apiError{Type: "server_error", Code: "timeout", Message: errLate.Error()})
	case r.Context().Err() != nil:
		w.WriteHeader(499) // the client has gone; the number is nginx's
	case isRefusal:
		rt.refuse(w, refused)
	case isAdapter:
		refuseAdapter(w, adapterOf(r), adapter.err)
	default:
		writeError(w, http.StatusBadGateway, apiError{
			Type: "server_error", Code: "engine_error", Message: errEngine.Error() + "; try again",
		})
	}
}

// refuse tells a client to come back, when, and why it has to.
func (rt *Router) refuse(w http.ResponseWriter, why *refusal) {
	w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(why.retry.Seconds()))))
	if errors.Is(why, errBusy) || errors.Is(why, errAdapters) {
		writeError(w, http.StatusTooManyRequests, apiError{
			Type: "rate_limit_error", Code: "too_many_requests", Message: why.Error() + "; try again later",
		})
		return
	}
	message := "no replica is ready yet; the model is starting"
	if errors.Is(why, errNoneWanted) {
		message = why.Error()
	} else if e, ok := errors.AsType[*lifecycle.Error](why.last); ok {
		// The whole cause is for the operator: output of an engine may show what others asked.
		message = "no replica is ready: " + (&lifecycle.Error{Kind: e.Kind, Hint: e.Hint}).Error()
	}
	writeError(w, http.StatusServiceUnavailable, apiError{Type: "server_error", Code: "not_ready", Message: message})
}
