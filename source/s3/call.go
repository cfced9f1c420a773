package s3

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// A patient retryer waits for as long as the service asks, up to maxPatience.
type patient struct{ *retry.Standard }

// maxPatience bounds what a small request waits by itself; whoever asked hears the rest.
const maxPatience = 20 * time.Second

// RetryDelay implements aws.Retryer.
func (p patient) RetryDelay(attempt int, err error) (time.Duration, error) {
	wait, delayErr := p.Standard.RetryDelay(attempt, err)
	return max(wait, retryAfter(err)), delayErr
}

// IsErrorRetryable implements aws.Retryer.
func (p patient) IsErrorRetryable(err error) bool {
	return retryAfter(err) <= maxPatience && p.Standard.IsErrorRetryable(err)
}

// thrice is for small requests: three tries, at most 2 s between them unless the service
// asks for more, and no budget that one bucket's trouble could take from another.
var thrice = patient{retry.NewStandard(func(o *retry.StandardOptions) {
	o.MaxAttempts, o.MaxBackoff, o.RateLimiter = 3, 2*time.Second, ratelimit.None
})}

// once is for reads, which download tries again where they broke.
var once = aws.NopRetryer{}

// call does a request, and once more in the region that the answer says the bucket is in,
// or with new credentials where those it had are no longer good.
func call[In, Out any](ctx context.Context, b *bucket, retryer aws.Retryer, in *In,
	do func(context.Context, *In, ...func(*s3.Options)) (*Out, error),
) (*Out, error) {
	opt := func(o *s3.Options) { o.Region, o.Retryer = *b.region.Load(), retryer }
	held := b.held()
	out, err := do(ctx, in, opt)
	if gone(err) {
		if err = b.renew(ctx, held, err); err == nil {
			out, err = do(ctx, in, opt)
		}
	}
	if region := regionOf(err); region != "" && region != *b.region.Load() {
		b.region.Store(&region)
		out, err = do(ctx, in, opt)
	}
	return out, err
}

var expecting = regexp.MustCompile(`expecting ['"]([a-z0-9-]{1,63})['"]`)

// regionOf returns the region that a refused request should have gone to, or "".
func regionOf(err error) string {
	switch statusOf(err) {
	case http.StatusMovedPermanently, http.StatusTemporaryRedirect, http.StatusBadRequest:
	default:
		return ""
	}
	if region := header(err, "X-Amz-Bucket-Region"); regionName.MatchString(region) {
		return region
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		if m := expecting.FindStringSubmatch(api.ErrorMessage()); m != nil {
			return m[1]
		}
	}
	return ""
}

// An answer is an error of the SDK's that has a status: S3, and each place of credentials, has its own.
type answer interface {
	error
	HTTPStatusCode() int
}

// statusOf returns the HTTP status of the answer that err is about, or 0.
func statusOf(err error) int {
	if r, ok := errors.AsType[answer](err); ok {
		return r.HTTPStatusCode()
	}
	return 0
}

func header(err error, key string) string {
	if r, ok := errors.AsType[*smithyhttp.ResponseError](err); ok && r.Response != nil {
		return r.Response.Header.Get(key)
	}
	return ""
}
