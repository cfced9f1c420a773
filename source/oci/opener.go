package oci

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/source/internal/streams"
	"github.com/spinup-llm/spinup/source/internal/transport"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/retry"
)

// Options tune the driver; nil means the defaults.
type Options struct {
	// PlainHTTP names registries, as HOST or HOST:PORT, that are spoken to without TLS.
	// Those on loopback always are.
	PlainHTTP []string
	_         struct{}
}

// Opener returns the function to register: mux.Handle("oci", oci.Opener(nil)). The sources
// that it opens share one pool of connections, which are closed when idle for 30 s.
//
// Opening fails with kind Invalid where the URI is wrong. Credentials are looked for by the
// first request that the registry refuses.
func Opener(opts *Options) source.Opener {
	if opts == nil {
		opts = &Options{}
	}
	shared := transport.New(nil)
	return func(_ context.Context, u *url.URL, o *source.OpenOptions) (source.Source, error) {
		ref, err := parse(u)
		if err != nil {
			return nil, err
		}
		client := &http.Client{Transport: shared}
		if o != nil && o.HTTP != nil {
			own := *o.HTTP
			if own.Transport == nil {
				own.Transport = shared
			}
			client = &own
		}
		client.CheckRedirect = leaveSecrets
		return newArtifact(ref, opts, o, client), nil
	}
}

// An artifact is a source.Source of one reference.
type artifact struct {
	ref   reference
	base  string       // "https://HOST/v2/REPOSITORY"
	asks  *auth.Client // small requests, tried three times
	reads *auth.Client // bytes, which download tries again where they broke
	login *chain       // nil when anonymous

	streams streams.Streams
}

var _ source.Source = (*artifact)(nil)

func newArtifact(ref reference, opts *Options, o *source.OpenOptions, client *http.Client) *artifact {
	a := &artifact{ref: ref, base: ref.origin(opts.PlainHTTP) + "/v2/" + ref.Repository}
	var lookup auth.CredentialFunc
	if !ref.anonymous {
		a.login = newChain(o.Env)
		lookup = a.login.find
	}
	cache := auth.NewCache()
	direct, patient := *client, *client
	direct.Transport = &pauses{client.Transport}
	a.reads = &auth.Client{Client: &direct, Credential: lookup, Cache: cache, ClientID: "spinup"}
	patient.Transport = &pauses{&retry.Transport{Base: client.Transport, Policy: thrice}}
	a.asks = &auth.Client{Client: &patient, Credential: lookup, Cache: cache, ClientID: "spinup"}
	return a
}

func thrice() retry.Policy {
	return &retry.GenericPolicy{
		Retryable: worthRetry, Backoff: retry.DefaultBackoff,
		MinWait: 200 * time.Millisecond, MaxWait: 2 * time.Second, MaxRetry: 2,
	}
}

// worthRetry leaves it to whoever asked to come back when the registry says.
func worthRetry(res *http.Response, err error) (bool, error) {
	if err == nil && retryAfter(res.Header, time.Now()) > 0 {
		return false, nil
	}
	return retry.DefaultPredicate(res, err)
}

// String returns the URI, so that nothing else of the source is ever formatted.
func (a *artifact) String() string { return a.ref.String() }
