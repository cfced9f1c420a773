package oci

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"oras.land/oras-go/v2/registry/remote/errcode"
)

// A request is what an error is about.
type request struct {
	op, target string
	bytes      bool // of a layer, not a manifest
}

// A wrongAnswer is a response that does not fit its request.
type wrongAnswer struct{ text string }

// Error implements error.
func (e *wrongAnswer) Error() string { return e.text }

// changed is for a file whose layer was replaced since it was listed.
type changed struct{}

// Error implements error.
func (*changed) Error() string { return "the tag names another layer for it now" }

// A refused is an answer that is no success.
type refused struct {
	status int
	words  string
	wait   time.Duration
}

// Error implements error.
func (e *refused) Error() string {
	return strings.TrimSuffix(fmt.Sprintf("the registry answered %d: %s", e.status, e.words), ": ")
}

// refusal reads such an answer, and closes it.
func refusal(res *http.Response) error {
	defer func() { _ = res.Body.Close() }()
	e := &refused{status: res.StatusCode, wait: retryAfter(res.Header, time.Now())}
	data, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	var answer struct{ Errors []errcode.Error }
	if err == nil && json.Unmarshal(data, &answer) == nil && len(answer.Errors) > 0 {
		e.words = wordsOf(answer.Errors[0])
	}
	return e
}

// wordsOf leaves out the details, which may be anything.
func wordsOf(e errcode.Error) string {
	words := strings.Join(strings.Fields(strings.TrimSuffix(e.Code+" "+e.Message, " ")), " ")
	if len(words) > 400 {
		words = strings.ToValidUTF8(words[:400], "") + "…"
	}
	return words
}

// explain makes of what the client says an error that tells what to do, without addresses:
// those that a registry redirects to are signed.
func (a *artifact) explain(ctx context.Context, r request, err error) error {
	if ended := lifecycle.FromContext(ctx, r.op, r.target); ended != nil {
		return ended
	}
	err = bare(err)
	e := &lifecycle.Error{Op: r.op, Target: r.target, Kind: kindOf(r, err), Err: err}
	e.Hint = a.hint(e.Kind, err)
	if no, ok := errors.AsType[*refused](err); ok {
		return source.WithRetryAfter(e, no.wait)
	}
	return e
}

// bare takes off what clients put around an error: the method and the address.
func bare(err error) error {
	if own, ok := errors.AsType[*credentialsError](err); ok {
		return own
	}
	if token, ok := errors.AsType[*errcode.ErrorResponse](err); ok {
		e := &refused{status: token.StatusCode, words: "the service of tokens refused"}
		if len(token.Errors) > 0 {
			e.words = wordsOf(token.Errors[0])
		}
		return e
	}
	if sent, ok := errors.AsType[*url.Error](err); ok {
		return sent.Err
	}
	if inner := errors.Unwrap(err); inner != nil {
		return inner
	}
	return err
}

// statusOf returns the HTTP status of the answer that err is about, or 0.
func statusOf(err error) int {
	if no, ok := errors.AsType[*refused](err); ok {
		return no.status
	}
	return 0
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
