package web

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
)

const listHint = "let the server list the folder (nginx: autoindex on), or put a file SHA256SUMS there"

// about is what an error is about.
type about struct {
	op, target string
	at         *url.URL
	file       bool // of the manifest, not a folder
}

// explain makes of err an error that tells what to do. What the server said in its page is
// left out: it is for people with a browser.
func (s *site) explain(ctx context.Context, a about, err error) error {
	if ended := lifecycle.FromContext(ctx, a.op, a.target); ended != nil {
		return ended
	}
	e := &lifecycle.Error{Op: a.op, Target: a.target, Kind: kindOf(a, err), Err: &failure{s.auth.text(err.Error()), err}}
	e.Hint = s.hint(a, e.Kind, err)
	if no, ok := errors.AsType[*refusal](err); ok {
		return source.WithRetryAfter(e, retryAfter(no.header, time.Now()))
	}
	return e
}

// A failure is an error without secrets.
type failure struct {
	text string
	err  error
}

// Error implements error.
func (f *failure) Error() string { return f.text }

// Unwrap returns an error of the network, or nil: an answer has headers.
func (f *failure) Unwrap() error {
	if statusOf(f.err) != 0 {
		return nil
	}
	return f.err
}

func statusOf(err error) int {
	if no, ok := errors.AsType[*refusal](err); ok {
		return no.status
	}
	return 0
}

func kindOf(a about, err error) lifecycle.Kind {
	switch {
	case errors.Is(err, errChanged):
		return lifecycle.Corrupt
	case errors.Is(err, errNoSize):
		return lifecycle.Invalid
	}
	no, ok := errors.AsType[*refusal](err)
	if !ok {
		return lifecycle.Unavailable
	}
	switch status := no.status; {
	case status == http.StatusUnauthorized, status == http.StatusProxyAuthRequired:
		return lifecycle.Unauthenticated
	case status == http.StatusForbidden:
		return lifecycle.AccessDenied
	case (status == http.StatusNotFound || status == http.StatusGone) && a.file:
		return lifecycle.MissingFile
	case status == http.StatusNotFound, status == http.StatusGone:
		return lifecycle.NotFound
	case status == http.StatusPreconditionFailed, status == http.StatusRequestedRangeNotSatisfiable:
		return lifecycle.Corrupt
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable && no.header.Get("Retry-After") != "":
		return lifecycle.Throttled
	case status >= 400 && status < 500 && status != http.StatusRequestTimeout:
		return lifecycle.Invalid
	default:
		return lifecycle.Unavailable
	}
}

func (s *site) hint(a about, kind lifecycle.Kind, err error) string {
	switch kind {
	case lifecycle.NotFound:
		return form
	case lifecycle.MissingFile:
		return "it was there when the folder was listed, or SHA256SUMS names it: put it there again, or start again"
	case lifecycle.AccessDenied:
		if !a.file && s.loc.folder && !s.loc.sums {
			return listHint
		}
		return "allow GET on " + shown(a.at) + " in the server's configuration"
	case lifecycle.Unauthenticated:
		return s.auth.hint(s.loc.at)
	case lifecycle.Corrupt:
		return "it changed since it was listed: start again when the upload is done"
	case lifecycle.Throttled:
		return "the server asks to slow down: try again later"
	case lifecycle.Invalid:
		if errors.Is(err, errNoSize) {
			return "serve it as a file, with a Content-Length"
		}
		return form
	default:
		if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
			return "let SSL_CERT_FILE name a file with the authority of the server's certificate"
		}
		return "check the network, and the server at " + a.at.Host
	}
}

// retryAfter reads the header of that name, in seconds or as a date.
func retryAfter(h http.Header, now time.Time) time.Duration {
	value := h.Get("Retry-After")
	if s, err := strconv.Atoi(value); err == nil && s > 0 {
		return time.Duration(min(s, 3600)) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return min(max(at.Sub(now), 0), time.Hour)
	}
	return 0
}
