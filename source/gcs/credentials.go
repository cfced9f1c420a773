package gcs

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"cloud.google.com/go/auth"
	"github.com/spinup-llm/spinup/lifecycle"
)

// A chain tries the places where credentials may be, in order, keeps to the first that has
// some, and remembers what it tried: that is what an error has to tell.
type chain struct {
	steps []step

	mu   sync.Mutex
	used *found
}

// A step is one place. The credentials stay behind a function, where no formatting finds them.
type step struct {
	name     string
	open     func(context.Context) (*auth.Credentials, error) // nil: not configured
	absent   string                                           // why it is not
	optional bool                                             // a failure means that there are none, but for Unavailable
}

// found is where the credentials came from.
type found struct {
	name    string
	tried   []string // up to name
	creds   *auth.Credentials
	payer   string // the quota project that they name
	project string // the project that they belong to
	secrets lifecycle.EnvVars
}

func newChain(s settings, client, metadata *http.Client) *chain {
	return &chain{steps: []step{s.named(client), s.login(client), s.instance(metadata)}}
}

// token returns an access token and the project that pays, or "".
func (c *chain) token(ctx context.Context) (token, payer string, err error) {
	f, err := c.find(ctx)
	if err != nil {
		return "", "", err
	}
	t, err := f.creds.Token(ctx)
	if err != nil {
		return "", "", &credentialsError{tried: f.tried, from: f.name, err: err, text: c.redact(tokenText(err))}
	}
	c.mu.Lock()
	f.secrets["token"] = t.Value
	c.mu.Unlock()
	return t.Value, f.payer, nil
}

// find chooses once; a failure is not kept.
func (c *chain) find(ctx context.Context) (*found, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.used != nil {
		return c.used, nil
	}
	var tried []string
	for _, s := range c.steps {
		if s.open == nil {
			tried = append(tried, s.name+" ("+s.absent+")")
			continue
		}
		creds, err := s.open(ctx)
		if err == nil {
			c.used = newFound(ctx, s.name, append(tried, s.name+" (used)"), creds)
			return c.used, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		tried = append(tried, s.name+" (failed)")
		failed := &credentialsError{tried: tried, from: s.name, err: err, text: tokenText(err)}
		if !s.optional || failed.Temporary() {
			return nil, failed
		}
	}
	return nil, &credentialsError{tried: tried}
}

// seen returns where the credentials in use came from, or nil while there are none.
func (c *chain) seen() *found {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.used
}

// redact takes what is secret of the credentials in use out of a foreign text.
func (c *chain) redact(text string) string {
	if c == nil {
		return text
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.used == nil {
		return text
	}
	return c.used.secrets.Redact(text)
}

// A credentialsError says which places were tried, in order.
type credentialsError struct {
	tried []string
	from  string // the place that failed; "" when there was none at all
	err   error
	text  string // of err, without secrets
}

// Error implements error.
func (e *credentialsError) Error() string {
	if e.err == nil {
		return "there are no credentials"
	}
	return fmt.Sprintf("no credentials from %s: %s", e.from, e.text)
}

// Temporary has the SDK ask again where it tries more than once.
func (e *credentialsError) Temporary() bool { return e.kind() == lifecycle.Unavailable }

func (e *credentialsError) hint() string {
	return "let GOOGLE_APPLICATION_CREDENTIALS name the file of a service account, in env_vars or in the environment, or write " +
		"gs://anonymous@BUCKET/PREFIX for a public bucket; tried in this order: " + strings.Join(e.tried, ", ")
}
