package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/spinup-llm/spinup/internal/silence"
)

// A Transport is an [http.Transport] that gives up what is silent inside an answer for longer
// than the request's context allows (package silence). Whoever reads slowly is not to blame: the
// time counts while a Read waits.
type Transport struct{ *http.Transport }

// RoundTrip implements http.RoundTripper.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	limit := silence.Limit(r.Context())
	if limit <= 0 {
		return t.Transport.RoundTrip(r)
	}
	ctx, end := context.WithCancel(r.Context())
	res, err := t.Transport.RoundTrip(r.WithContext(ctx))
	if err != nil {
		end()
		return nil, err
	}
	res.Request = r
	res.Body = &body{ReadCloser: res.Body, limit: limit, end: end}
	return res, nil
}

// A body ends its request where no byte comes in time.
type body struct {
	io.ReadCloser

	limit  time.Duration
	end    context.CancelFunc
	silent bool // it was ended, which the next Read may be the first to meet
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	timer := time.AfterFunc(b.limit, b.end)
	n, err := b.ReadCloser.Read(p)
	if b.silent = !timer.Stop() || b.silent; b.silent && err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("no byte for %v", b.limit)
	}
	return n, err
}

// Close implements io.Closer.
func (b *body) Close() error {
	defer b.end()
	return b.ReadCloser.Close()
}
