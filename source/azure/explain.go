package azure

import (
	"context"
	"encoding/xml"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
)

// A request is what an error is about.
type request struct {
	op, target string
	right      string // of a SAS, that it needs
	bytes      bool   // of a blob, not a listing
}

func listing(l location) request {
	return request{op: opResolve, target: l.String(), right: "l"}
}

func reading(op string, l location, name string) request {
	return request{op, l.at(name), "r", true}
}

// A wrongAnswer is a response that does not fit its request.
type wrongAnswer struct{ text string }

// Error implements error.
func (e *wrongAnswer) Error() string { return e.text }

// explain makes of what the SDK says an error that tells what to do. The SDK's own error is
// dropped: it holds the whole answer, and the address.
func (f *folder) explain(ctx context.Context, r request, err error) error {
	if ended := lifecycle.FromContext(ctx, r.op, r.target); ended != nil {
		return ended
	}
	e := &lifecycle.Error{Op: r.op, Target: r.target, Kind: f.kindOf(r, err)}
	e.Err = &failure{text: plain(err), err: bare(err)}
	e.Hint = f.hint(r, e.Kind, err)
	if refused, ok := errors.AsType[*azcore.ResponseError](err); ok && refused.RawResponse != nil {
		return source.WithRetryAfter(e, retryAfter(refused.RawResponse.Header, time.Now()))
	}
	return e
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
	refused, ok := errors.AsType[*azcore.ResponseError](err)
	if !ok {
		return err.Error()
	}
	text := "the service answered " + strings.TrimSpace(strconv.Itoa(refused.StatusCode)+" "+refused.ErrorCode)
	return strings.TrimSuffix(text+": "+messageOf(refused.RawResponse), ": ")
}

// messageOf returns the first line of what the service says: the others are numbers of the
// request, and what it computed from a signature.
func messageOf(res *http.Response) string {
	if res == nil {
		return ""
	}
	data, err := runtime.Payload(res) // the SDK has read it already
	var answer struct{ Message string }
	if err != nil || xml.Unmarshal(data, &answer) != nil {
		return ""
	}
	line, _, _ := strings.Cut(strings.TrimSpace(answer.Message), "\n")
	line = strings.Join(strings.Fields(line), " ")
	if len(line) > 400 {
		line = strings.ToValidUTF8(line[:400], "") + "…"
	}
	return line
}

// bare returns what others may look for in err's tree, and nothing that holds an answer.
func bare(err error) error {
	if _, ok := errors.AsType[*credentialsError](err); ok || statusOf(err) != 0 {
		return nil
	}
	return err
}

// statusOf returns the HTTP status of the answer that err is about, or 0.
func statusOf(err error) int {
	if refused, ok := errors.AsType[*azcore.ResponseError](err); ok {
		return refused.StatusCode
	}
	return 0
}

// codeOf returns the service's word for why, or "".
func codeOf(err error) string {
	if refused, ok := errors.AsType[*azcore.ResponseError](err); ok {
		return refused.ErrorCode
	}
	return ""
}

// retryAfter reads the headers of that name, in milliseconds, in seconds or as a date.
func retryAfter(h http.Header, now time.Time) time.Duration {
	for _, key := range []string{"Retry-After-Ms", "X-Ms-Retry-After-Ms"} {
		if ms, err := strconv.Atoi(h.Get(key)); err == nil && ms > 0 {
			return time.Duration(min(ms, 3_600_000)) * time.Millisecond
		}
	}
	value := h.Get("Retry-After")
	if s, err := strconv.Atoi(value); err == nil && s > 0 {
		return time.Duration(min(s, 3600)) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return min(max(at.Sub(now), 0), time.Hour)
	}
	return 0
}
