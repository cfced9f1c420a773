package gcs

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"google.golang.org/api/googleapi"
)

// A request is what an error is about.
type request struct {
	op, target string
	permission string // that it needs
	resource   string // on what
	role       string // that has it
	bytes      bool   // of an object, not a listing
}

const viewer = "Storage Object Viewer"

func listing(l location) request {
	return request{op: opResolve, target: l.String(), permission: "storage.objects.list", resource: "gs://" + l.Bucket, role: viewer}
}

func reading(op string, l location, name string) request {
	return request{op, l.At(name), "storage.objects.get", "gs://" + l.Bucket + "/" + name, viewer, true}
}

// A wrongAnswer is a response that does not fit its request.
type wrongAnswer struct{ text string }

// Error implements error.
func (e *wrongAnswer) Error() string { return e.text }

// changed is for an object that was replaced since it was listed.
type changed struct{}

// Error implements error.
func (*changed) Error() string { return "the object has another generation now" }

// explain makes of what the SDK says an error that tells what to do. The SDK's own error is
// dropped: it holds the whole answer, and the address. x may be nil.
func (b *bucket) explain(ctx context.Context, r request, err error, x *exchange) error {
	if ended := lifecycle.FromContext(ctx, r.op, r.target); ended != nil {
		return ended
	}
	e := &lifecycle.Error{Op: r.op, Target: r.target, Kind: b.kindOf(r, err)}
	e.Err = &failure{text: b.creds.redact(plain(err)), err: bare(err)}
	e.Hint = b.hint(r, e.Kind, err)
	if x == nil {
		return e
	}
	return source.WithRetryAfter(e, retryAfter(x.header, time.Now()))
}

// A failure is a service's answer without secrets.
type failure struct {
	text string
	err  error
}

// Error implements error.
func (f *failure) Error() string { return f.text }

// Unwrap returns an error of the network, or nil.
func (f *failure) Unwrap() error { return f.err }

// plain words err without the layers that the SDK puts around it.
func plain(err error) string {
	if own, ok := errors.AsType[*credentialsError](err); ok {
		return own.Error()
	}
	if api, ok := errors.AsType[*googleapi.Error](err); ok {
		message := strings.Join(strings.Fields(api.Message), " ")
		if len(message) > 400 {
			message = strings.ToValidUTF8(message[:400], "") + "…"
		}
		return strings.TrimSuffix("the service answered "+strconv.Itoa(api.Code)+": "+message, ": ")
	}
	if sent, ok := errors.AsType[*url.Error](err); ok {
		return sent.Err.Error()
	}
	return err.Error()
}

// bare returns what others may look for in err's tree, and nothing that holds an answer.
func bare(err error) error {
	if _, ok := errors.AsType[*credentialsError](err); ok || statusOf(err) != 0 {
		return nil
	}
	if sent, ok := errors.AsType[*url.Error](err); ok {
		return sent.Err
	}
	return err
}

// statusOf returns the HTTP status of the answer that err is about, or 0.
func statusOf(err error) int {
	if api, ok := errors.AsType[*googleapi.Error](err); ok {
		return api.Code
	}
	return 0
}

// reasonOf returns the API's word for why, or "".
func reasonOf(err error) string {
	if api, ok := errors.AsType[*googleapi.Error](err); ok && len(api.Errors) > 0 {
		return api.Errors[0].Reason
	}
	return ""
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
