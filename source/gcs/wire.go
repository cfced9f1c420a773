package gcs

import (
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"strings"
)

// A wire sits between the SDK and the network. It adds the token, to the API's origin alone,
// and notes in the request's exchange what the SDK does not pass on.
type wire struct {
	base  http.RoundTripper
	creds *chain // nil when anonymous
	set   settings
}

// RoundTrip implements http.RoundTripper.
func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != w.set.endpoint.Scheme || r.URL.Host != w.set.endpoint.Host {
		return nil, errors.New("a request to " + r.URL.Host + ", which is not the API's")
	}
	ctx := r.Context()
	r = r.Clone(ctx)
	if r.URL.Query().Get("alt") == "media" {
		r.Header.Set("Accept-Encoding", "gzip") // or the service unpacks what is stored packed
	}
	if w.creds != nil {
		token, payer, err := w.creds.token(ctx)
		if err != nil {
			return nil, err
		}
		r.Header.Set("Authorization", "Bearer "+token)
		if payer != "" && w.set.project == "" {
			r.Header.Set("X-Goog-User-Project", payer)
		}
	}
	res, err := w.base.RoundTrip(r)
	if x, ok := ctx.Value(exchangeKey{}).(*exchange); ok && err == nil {
		if err = x.note(r, res); err != nil {
			_ = res.Body.Close()
			return nil, err
		}
	}
	return res, err
}

type exchangeKey struct{}

// An exchange is what was seen of the requests of one call. It is used by one goroutine.
type exchange struct {
	header http.Header     // of the last answer
	broken error           // what ended the last body early
	pages  map[string]bool // of a listing that were answered, by their token
}

func (x *exchange) in(ctx context.Context) context.Context {
	return context.WithValue(ctx, exchangeKey{}, x)
}

// unknown stands for a length that the answer does not tell: the SDK counts down from it,
// and prints what is below zero.
const unknown = math.MaxInt64 / 2

var errCircle = errors.New("the listing does not go on")

func (x *exchange) note(r *http.Request, res *http.Response) error {
	x.header = res.Header
	if res.StatusCode >= 300 {
		return nil
	}
	q := r.URL.Query()
	if q.Get("alt") == "media" {
		if res.ContentLength < 0 {
			res.ContentLength = unknown
		}
		res.Body = &unbroken{ReadCloser: res.Body, x: x}
		return nil
	}
	if !strings.HasSuffix(r.URL.Path, "/o") {
		return nil
	}
	if token := q.Get("pageToken"); x.pages[token] {
		return errCircle
	} else if x.pages == nil {
		x.pages = map[string]bool{token: true}
	} else {
		x.pages[token] = true
	}
	return nil
}

// unbroken ends like a file where the connection breaks, or the SDK would begin again on
// its own, without a limit. The driver's body knows how much is missing.
type unbroken struct {
	io.ReadCloser

	x *exchange
}

// Read implements io.Reader.
func (u *unbroken) Read(p []byte) (int, error) {
	n, err := u.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		u.x.broken, err = err, io.EOF
	}
	return n, err
}
