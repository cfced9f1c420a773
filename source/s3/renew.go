package s3

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"
	"github.com/spinup-llm/spinup/lifecycle"
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
// another request has done so. Without any it returns the refusal, or that the place is away.
func (b *bucket) renew(ctx context.Context, held aws.Credentials, refusal error) error {
	if b.creds == nil {
		return refusal
	}
	other := func() bool {
		now := b.held()
		return now.AccessKeyID != held.AccessKeyID || now.SessionToken != held.SessionToken
	}
	if held.AccessKeyID != "" && other() {
		return nil
	}
	held = b.held()
	b.cache.Invalidate()
	_, err := b.cache.Retrieve(ctx)
	switch own, ok := errors.AsType[*credentialsError](err); {
	case ok && own.kind() == lifecycle.Unavailable:
		return err
	case err != nil || !other():
		return refusal
	default:
		return nil
	}
}
