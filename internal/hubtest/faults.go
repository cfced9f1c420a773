package hubtest

import (
	"compress/gzip"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
)

// A Fault changes answers to requests whose path has a part in common with it.
type Fault struct {
	CDN   bool   // it is the CDN's, not the hub's
	Path  string // a part of the unescaped path; "" is in every one
	Skip  int    // so many requests pass before
	Times int    // how many it changes; 0 means all that follow
	Do    Action

	seen int
}

// An Action answers a request; next is the answer without the fault.
type Action func(w http.ResponseWriter, r *http.Request, next http.Handler)

// A Request is what a server saw.
type Request struct {
	CDN    bool
	Method string
	Path   string // unescaped, without the query
	Range  string
	Token  string // of the Authorization header
}

// Break adds a fault; the first that applies to a request counts.
func (h *Hub) Break(f Fault) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.faults = append(h.faults, &f)
}

// Requests returns what was asked for so far.
func (h *Hub) Requests() []Request {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]Request(nil), h.requests...)
}

// front notes each request, and applies faults.
func (h *Hub) front(cdn bool, serve http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if do := h.note(cdn, r); do != nil {
			do(w, r, serve)
			return
		}
		serve(w, r)
	})
}

func (h *Hub) note(cdn bool, r *http.Request) Action {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.requests = append(h.requests, Request{
		CDN: cdn, Method: r.Method, Path: r.URL.Path, Range: r.Header.Get("Range"),
		Token: strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "),
	})
	for _, f := range h.faults {
		if f.CDN != cdn || !strings.Contains(r.URL.Path, f.Path) {
			continue
		}
		if f.seen++; f.seen > f.Skip && (f.Times == 0 || f.seen <= f.Skip+f.Times) {
			return f.Do
		}
	}
	return nil
}

// Status answers with a status, an X-Error-Code and headers ("Retry-After", "7", …).
func Status(status int, code string, headers ...string) Action {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		message := "a fault of the test"
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
			if headers[i] == "X-Error-Message" {
				message = headers[i+1]
			}
		}
		fail(w, status, code, message)
	}
}

// Redirect sends to another origin, with the path and query of the request.
func Redirect(origin string) Action {
	return func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		w.Header().Set("Location", origin+r.URL.RequestURI())
		w.WriteHeader(http.StatusFound)
	}
}

// Cut breaks the connection after so many bytes of the body.
func Cut(after int64) Action { return stop(after, func(http.ResponseWriter, *http.Request) {}) }

// Reset has the client told so by TCP, which loses also what was sent and not yet read.
func Reset(after int64) Action {
	return stop(after, func(w http.ResponseWriter, _ *http.Request) {
		c, _, err := http.NewResponseController(w).Hijack()
		if tcp, ok := c.(*net.TCPConn); err == nil && ok {
			_ = tcp.SetLinger(0)
		}
		if err == nil {
			_ = c.Close()
		}
	})
}

// Stall is silent after so many bytes, until the client goes away.
func Stall(after int64) Action {
	return stop(after, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
}

func stop(after int64, then func(http.ResponseWriter, *http.Request)) Action {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		next.ServeHTTP(&tap{ResponseWriter: w, edit: func(at int64, p []byte) {
			if at+int64(len(p)) < after {
				return
			}
			_, _ = w.Write(p[:max(after-at, 0)]) // the client is about to lose it anyway
			_ = http.NewResponseController(w).Flush()
			then(w, r)
			panic(http.ErrAbortHandler)
		}}, r)
	}
}

// Watch tells seen of each piece of a body before it is sent.
func Watch(seen func(n int)) Action {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		next.ServeHTTP(&tap{ResponseWriter: w, edit: func(_ int64, p []byte) { seen(len(p)) }}, r)
	}
}

// Flip inverts a bit of the byte at an offset of the body.
func Flip(offset int64) Action {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		next.ServeHTTP(&tap{ResponseWriter: w, edit: func(at int64, p []byte) {
			if i := offset - at; i >= 0 && i < int64(len(p)) {
				p[i] ^= 1
			}
		}}, r)
	}
}

// NoRange answers as if no range had been asked for.
func NoRange(w http.ResponseWriter, r *http.Request, next http.Handler) {
	r.Header.Del("Range")
	next.ServeHTTP(w, r)
}

// OtherRange answers with a range that begins one byte later.
func OtherRange(w http.ResponseWriter, r *http.Request, next http.Handler) {
	rec := httptest.NewRecorder()
	next.ServeHTTP(rec, r)
	shown := strings.Replace(rec.Header().Get("Content-Range"), "bytes ", "bytes 1", 1)
	copyHeader(w, rec)
	w.Header().Set("Content-Range", shown)
	w.WriteHeader(rec.Code)
	_, _ = w.Write(rec.Body.Bytes()) // see fail
}

// Gzip compresses whatever was asked for.
func Gzip(w http.ResponseWriter, r *http.Request, next http.Handler) {
	rec := httptest.NewRecorder()
	next.ServeHTTP(rec, r)
	copyHeader(w, rec)
	w.Header().Set("Content-Encoding", "gzip")
	w.Header().Del("Content-Length")
	if tag := w.Header().Get("ETag"); tag != "" {
		w.Header().Set("ETag", "W/"+tag)
	}
	w.WriteHeader(rec.Code)
	z := gzip.NewWriter(w)
	_, _ = z.Write(rec.Body.Bytes()) // see fail
	_ = z.Close()
}

func copyHeader(w http.ResponseWriter, from *httptest.ResponseRecorder) {
	maps.Copy(w.Header(), from.Header())
}

// A tap sees the bytes of a body on their way.
type tap struct {
	http.ResponseWriter
	at   int64
	edit func(at int64, p []byte)
}

// Write implements io.Writer.
func (t *tap) Write(p []byte) (int, error) {
	q := append([]byte(nil), p...)
	t.edit(t.at, q)
	t.at += int64(len(p))
	return t.ResponseWriter.Write(q)
}
