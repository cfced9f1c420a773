package azure

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/spinup-llm/spinup/lifecycle"
)

// A chain tries the places where tokens may be had, in order, keeps to the first that gives
// one, and remembers what it tried: that is what an error has to tell.
type chain struct {
	steps []step

	mu    sync.Mutex
	used  *step
	creds azcore.TokenCredential // of used
	tried []string               // up to used
}

var _ azcore.TokenCredential = (*chain)(nil)

// A step is one place. Secrets stay behind a function, where no formatting finds them.
type step struct {
	name     string
	open     func() (azcore.TokenCredential, error) // nil: not configured
	absent   string                                 // why it is not
	optional bool                                   // a failure means that there are none, but for Unavailable
	expected bool                                   // where it is optional: nobody there is a failure, too
}

func newChain(s settings, client, machine *http.Client) *chain {
	i := identities{env: s.env, client: client, direct: machine}
	c := &chain{steps: []step{
		{name: "AZURE_STORAGE_CONNECTION_STRING", absent: "not set"},
		{name: "AZURE_STORAGE_ACCOUNT_KEY", absent: "not set"},
		{name: "AZURE_STORAGE_SAS_TOKEN", absent: "not set"},
	}}
	for _, st := range []step{i.application(), i.workload(), i.machine(), i.commandLine()} {
		if st.open != nil && !i.chosen(st.name) {
			st.open, st.absent = nil, "AZURE_TOKEN_CREDENTIALS leaves it out"
		}
		c.steps = append(c.steps, st)
	}
	return c
}

// GetToken implements azcore.TokenCredential.
func (c *chain) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.used != nil {
		token, err := c.creds.GetToken(ctx, o)
		if err != nil && ctx.Err() == nil {
			err = &credentialsError{tried: c.tried, from: c.used.name, err: err}
		}
		return token, err
	}
	var tried []string
	none := &credentialsError{}
	for _, s := range c.steps {
		if s.open == nil {
			tried = append(tried, s.name+" ("+s.absent+")")
			continue
		}
		creds, err := s.open()
		if err == nil {
			var token azcore.AccessToken
			if token, err = creds.GetToken(ctx, o); err == nil {
				c.used, c.creds, c.tried = &s, creds, append(tried, s.name+" (used)")
				return token, nil
			}
		}
		if ctx.Err() != nil {
			return azcore.AccessToken{}, ctx.Err()
		}
		tried = append(tried, s.name+" (failed)")
		failed := &credentialsError{tried: tried, from: s.name, err: err}
		if !s.optional {
			return azcore.AccessToken{}, failed
		}
		if failed.kind() == lifecycle.Unavailable && (s.expected || failed.answered()) {
			none = failed // where no other gives one
		}
	}
	none.tried = tried
	return azcore.AccessToken{}, none
}

// seen returns where the token in use came from, or "" while there is none.
func (c *chain) seen() string {
	if c == nil {
		return ""
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.used == nil {
		return ""
	}
	return c.used.name
}

// A credentialsError says which places were tried, in order.
type credentialsError struct {
	tried []string
	from  string // the place that failed; "" when there was none at all
	err   error
}

// Error implements error. The words of the place itself stay out: they repeat whole answers.
func (e *credentialsError) Error() string {
	if e.err == nil {
		return "there are no credentials"
	}
	text := tokenText(e.err)
	if e.kind() == lifecycle.Unavailable && !e.answered() {
		text = "there was no answer"
	}
	return fmt.Sprintf("no token from %s: %s", e.from, text)
}

// NonRetriable tells the SDK's pipeline that asking again gives the same.
func (e *credentialsError) NonRetriable() {}

// kind tells credentials that are wrong from a service of tokens that does not answer.
func (e *credentialsError) kind() lifecycle.Kind {
	refused, ok := errors.AsType[*azidentity.AuthenticationFailedError](e.err)
	if !ok || e.from == byCommand { // a program's failure is seldom one of the network
		return lifecycle.Unauthenticated
	}
	if r := refused.RawResponse; r == nil || r.StatusCode >= 500 || r.StatusCode == http.StatusTooManyRequests {
		return lifecycle.Unavailable
	}
	return lifecycle.Unauthenticated
}

// answered reports whether somebody was at the place that failed.
func (e *credentialsError) answered() bool {
	refused, ok := errors.AsType[*azidentity.AuthenticationFailedError](e.err)
	return ok && refused.RawResponse != nil
}

func (e *credentialsError) hint() string {
	return "set AZURE_STORAGE_ACCOUNT_KEY, AZURE_STORAGE_SAS_TOKEN or the variables of an application in env_vars or in the environment, or " +
		"AZURE_STORAGE_ANON=true for a public container; tried in this order: " + strings.Join(e.tried, ", ")
}
