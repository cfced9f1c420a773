package s3

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/aws/smithy-go"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
)

// A request is what an error is about.
type request struct {
	op, target string
	action     string // the permission that it needs
	resource   string // on what
}

func listing(l location) request {
	return request{opResolve, l.String(), "s3:ListBucket", "arn:aws:s3:::" + l.Bucket}
}

func reading(op string, l location, key string) request {
	return request{op, l.At(key), "s3:GetObject", "arn:aws:s3:::" + l.Bucket + "/" + key}
}

// A wrongAnswer is a response that does not fit its request.
type wrongAnswer struct{ text string }

// Error implements error.
func (e *wrongAnswer) Error() string { return e.text }

// explain makes of what the SDK says an error that tells what to do. The SDK's own error
// is dropped: it holds the whole request with its signature.
func (b *bucket) explain(ctx context.Context, r request, err error) error {
	if ended := lifecycle.FromContext(ctx, r.op, r.target); ended != nil {
		return ended
	}
	e := &lifecycle.Error{Op: r.op, Target: r.target, Kind: kindOf(err), Err: b.cause(err)}
	e.Hint = b.hint(r, e.Kind, err)
	return source.WithRetryAfter(e, retryAfter(err))
}

// A failure is a service's answer: its code and message, without secrets.
type failure struct {
	text string
	err  error
}

// Error implements error.
func (f *failure) Error() string { return f.text }

// Unwrap returns a smithy.APIError or the error of the network.
func (f *failure) Unwrap() error { return f.err }

func (b *bucket) cause(err error) error {
	return &failure{text: b.redact(plain(err)), err: bare(err)}
}

// plain words err without the layers that the SDK puts around it.
func plain(err error) string {
	if own, ok := errors.AsType[*credentialsError](err); ok {
		return own.Error()
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		text := strings.TrimSuffix(cmp.Or(api.ErrorCode(), "the service answered")+": "+api.ErrorMessage(), ": ")
		if status := statusOf(err); status != 0 && api.ErrorMessage() == "" {
			text += " (" + strconv.Itoa(status) + ")"
		}
		return text
	}
	if broken, ok := errors.AsType[*smithy.DeserializationError](err); ok {
		return "the answer is not S3's: " + broken.Err.Error()
	}
	if sent, ok := errors.AsType[*url.Error](err); ok {
		return sent.Error()
	}
	return err.Error()
}

// bare returns what others may look for in err's tree, and nothing that holds a request.
func bare(err error) error {
	if own, ok := errors.AsType[*credentialsError](err); ok {
		return own
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return &smithy.GenericAPIError{Code: api.ErrorCode(), Message: api.ErrorMessage(), Fault: api.ErrorFault()}
	}
	if sent, ok := errors.AsType[*url.Error](err); ok {
		return sent.Err
	}
	if statusOf(err) != 0 {
		return nil
	}
	return err
}

// redact takes the keys in use out of a foreign text.
func (b *bucket) redact(text string) string {
	if b.creds == nil {
		return text
	}
	if u := b.creds.used.Load(); u != nil {
		return lifecycle.EnvVars{"id": u.keys.AccessKeyID, "key": u.keys.SecretAccessKey, "token": u.keys.SessionToken}.Redact(text)
	}
	return text
}

// retryAfter returns how long the answer that err is about asks to wait.
func retryAfter(err error) time.Duration { return pause(header(err, "Retry-After"), time.Now()) }

// pause reads the header Retry-After, in seconds or as a date.
func pause(value string, now time.Time) time.Duration {
	if s, err := strconv.Atoi(value); err == nil && s > 0 {
		return time.Duration(min(s, 3600)) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return min(max(at.Sub(now), 0), time.Hour)
	}
	return 0
}
