package s3

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
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
	optional bool                                           // a failure means that there are none
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
		if !s.optional {
			return aws.Credentials{}, &credentialsError{tried: tried, from: s.name, err: err}
		}
	}
	return aws.Credentials{}, &credentialsError{tried: tried}
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

func (e *credentialsError) hint() string {
	return "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in env_vars or in the environment, or write " +
		"s3://anonymous@BUCKET/PREFIX for a public bucket; tried in this order: " + strings.Join(e.tried, ", ")
}
