package web

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

const (
	maxHops = 10       // redirects of one request
	maxPage = 32 << 20 // what a list or an index may have, in bytes
)

// A refusal is an answer that is no success.
type refusal struct {
	status int
	at     *url.URL
	header http.Header
}

// Error implements error.
func (f *refusal) Error() string {
	return fmt.Sprintf("%s answered %d %s", f.at.Host, f.status, http.StatusText(f.status))
}

// send does one request and follows redirects by hand; headers are those beside the usual
// ones. What is not a success is a *refusal or an error of the network. The answer's
// Request.URL is where it came from.
func (s *site) send(ctx context.Context, method string, at *url.URL, headers map[string]string) (*http.Response, error) {
	for range maxHops {
		req, err := http.NewRequestWithContext(ctx, method, at.String(), http.NoBody)
		if err != nil {
			return nil, errors.New("the address is malformed")
		}
		req.Header.Set("User-Agent", "spinup")
		req.Header.Set("Accept-Encoding", "identity")
		for k, v := range headers {
			req.Header.Set(k, v)
		}
		s.auth.add(req)
		res, err := s.client.Do(req)
		if err != nil {
			if sent, ok := errors.AsType[*url.Error](err); ok {
				err = sent.Err // without the address, which may be signed
			}
			return nil, err
		}
		if res.StatusCode >= 200 && res.StatusCode < 300 {
			return res, nil
		}
		_, _ = io.CopyN(io.Discard, res.Body, 64<<10) // so that the connection can be used again
		_ = res.Body.Close()
		if !isRedirect(res.StatusCode) {
			return nil, &refusal{res.StatusCode, at, res.Header}
		}
		if at, err = target(at, res.Header.Get("Location")); err != nil {
			return nil, err
		}
	}
	return nil, errors.New("there are too many redirects")
}

func isRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	default:
		return false
	}
}

// target reads where a redirect leads. Its text is not repeated in errors: it may be signed.
func target(from *url.URL, location string) (*url.URL, error) {
	next, err := from.Parse(location)
	switch {
	case err != nil || location == "" || !isWeb(next) || next.User != nil:
		return nil, fmt.Errorf("%s redirects to what is no address", from.Host)
	case from.Scheme == "https" && next.Scheme != "https":
		return nil, fmt.Errorf("%s redirects from https to http", from.Host)
	}
	return next, nil
}

// small is send for what costs little to ask for again: three tries, unless the server says when to
// come back, which whoever asked is told.
func (s *site) small(ctx context.Context, method string, at *url.URL, headers map[string]string) (*http.Response, error) {
	pause := 200 * time.Millisecond
	for try := 1; ; try++ {
		res, err := s.send(ctx, method, at, headers)
		if err == nil || try == 3 || !worthRetry(err) {
			return res, err
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		case <-timer.C:
			pause *= 3
		}
	}
}

func worthRetry(err error) bool {
	if _, untrusted := errors.AsType[*tls.CertificateVerificationError](err); untrusted {
		return false
	}
	no, ok := errors.AsType[*refusal](err)
	if !ok {
		return true
	}
	again := no.status >= 500 || no.status == http.StatusTooManyRequests || no.status == http.StatusRequestTimeout
	return again && retryAfter(no.header, time.Now()) == 0
}

// page returns the text at an address, of at most maxPage bytes, and where it came from.
func (s *site) page(ctx context.Context, at *url.URL) (text string, from *url.URL, html bool, err error) {
	res, err := s.small(ctx, http.MethodGet, at, nil)
	if err != nil {
		return "", nil, false, err
	}
	defer func() { _ = res.Body.Close() }()
	data, err := io.ReadAll(io.LimitReader(res.Body, maxPage+1))
	if err != nil {
		return "", nil, false, err
	}
	if len(data) > maxPage {
		return "", nil, false, errors.New("the page is too large")
	}
	return string(data), res.Request.URL, isHTML(res.Header), nil
}
