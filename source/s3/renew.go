package s3

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"
)

// early is how long before their end credentials are replaced.
const early = time.Minute

// gone reports whether the service says that the credentials were good and are no longer.
func gone(err error) bool {
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return false
	}
	switch api.ErrorCode() {
	case "ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "InvalidToken":
		return true
	default:
		return false
	}
}

// held returns the keys in use; none before the first request.
func (b *bucket) held() aws.Credentials {
	if b.creds == nil {
		return aws.Credentials{}
	}
	if u := b.creds.used.Load(); u != nil {
		return u.keys
	}
	return aws.Credentials{}
}

// renew asks the place of the credentials for others than those that were refused, unless
// another request has done so. It reports whether there are any.
func (b *bucket) renew(ctx context.Context, refused aws.Credentials) bool {
	if b.creds == nil {
		return false
	}
	other := func() bool {
		now := b.held()
		return now.AccessKeyID != refused.AccessKeyID || now.SessionToken != refused.SessionToken
	}
	if refused.AccessKeyID != "" && other() {
		return true
	}
	refused = b.held()
	b.cache.Invalidate()
	_, err := b.cache.Retrieve(ctx)
	return err == nil && other()
}
