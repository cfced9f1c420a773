package s3

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/spinup-llm/spinup/lifecycle"
)

// A chain tries the places where credentials may be, in order, and remembers what it
// tried: that is what an error has to tell.
type chain struct {
	steps []step
	used  atomic.Pointer[found]
}

// A step is one place. The keys stay behind a function, where no formatting finds them.
type step struct {
	name     string
	retrieve func(context.Context) (aws.Credentials, error) // nil: not configured
	absent   string                                         // why it is not
	optional bool                                           // a failure means that there are none, but for Unavailable
	expected bool                                           // where it is optional: nobody there is a failure, too
}

// found is where the last credentials came from.
type found struct {
	name  string
	tried []string // up to name
	keys  aws.Credentials
}

func newChain(ctx context.Context, s settings, client *http.Client) *chain {
	return &chain{steps: []step{s.keys(), s.webIdentity(client), s.fromProfile(ctx), s.container(client), s.instance()}}
}

// Retrieve implements aws.CredentialsProvider.
func (c *chain) Retrieve(ctx context.Context) (aws.Credentials, error) {
	var tried []string
	for _, s := range c.steps {
		if s.retrieve == nil {
			tried = append(tried, s.name+" ("+s.absent+")")
			continue
		}
		keys, err := s.retrieve(ctx)
		if err == nil {
			c.used.Store(&found{s.name, append(tried, s.name+" (used)"), keys})
			return keys, nil
		}
		if ctx.Err() != nil {
			return aws.Credentials{}, ctx.Err()
		}
		tried = append(tried, s.name+" (failed)")
		failed := &credentialsError{tried: tried, from: s.name, err: err}
		if !s.optional || (failed.kind() == lifecycle.Unavailable && (c.expects(s) || statusOf(err) != 0)) {
			return aws.Credentials{}, failed
		}
	}
	return aws.Credentials{}, &credentialsError{tried: tried}
}

// expects reports whether somebody has to be at s: the settings say so, or it gave the keys in use.
func (c *chain) expects(s step) bool {
	u := c.used.Load()
	return s.expected || (u != nil && u.name == s.name)
}

// again is how long keys that could not be replaced are used before that is tried again.
const again = 10 * time.Second

// HandleFailToRefresh implements aws.HandleFailRefreshCredentialsCacheStrategy: keys are
// replaced early, and are good until their end. None are given for those that were refused.
func (c *chain) HandleFailToRefresh(_ context.Context, cached aws.Credentials, err error) (aws.Credentials, error) {
	u := c.used.Load()
	if !cached.HasKeys() || u == nil || u.keys.Expired() {
		return aws.Credentials{}, err
	}
	keys, next := u.keys, time.Now().Add(again)
	if keys.Expires.After(next) {
		keys.Expires = next
	}
	keys.Expires = keys.Expires.Add(early) // which the cache takes off
	return keys, nil
}

// A credentialsError says which places were tried, in order.
type credentialsError struct {
	tried []string
	from  string // the place that failed; "" when there was none at all
	err   error
}

// Error implements error.
func (e *credentialsError) Error() string {
	if e.err == nil {
		return "there are no credentials"
	}
	return fmt.Sprintf("no credentials from %s: %s", e.from, plain(e.err))
}

// kind tells credentials that are wrong from whoever gives them and does not answer.
func (e *credentialsError) kind() lifecycle.Kind {
	_, sent := errors.AsType[*url.Error](e.err)
	if s := statusOf(e.err); sent || errors.Is(e.err, context.DeadlineExceeded) || s >= 500 || s == http.StatusTooManyRequests {
		return lifecycle.Unavailable
	}
	return lifecycle.Unauthenticated
}

func (e *credentialsError) hint() string {
	return "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in env_vars or in the environment, or write " +
		"s3://anonymous@BUCKET/PREFIX for a public bucket; tried in this order: " + strings.Join(e.tried, ", ")
}
