package gcs

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"cloud.google.com/go/storage"
	"github.com/googleapis/gax-go/v2"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/source/internal/transport"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/option"
)

// Options tune the driver; nil means the defaults.
type Options struct {
	// UserProject pays for requests to buckets whose requester pays; "" means
	// GOOGLE_CLOUD_QUOTA_PROJECT, else the quota project of the credentials.
	UserProject string
	_           struct{}
}

// Opener returns the function to register: mux.Handle("gs", gcs.Opener(nil)). The sources
// that it opens share one pool of connections, which are closed when idle for 30 s.
//
// Opening fails with kind Invalid where the URI or STORAGE_EMULATOR_HOST is wrong.
// Credentials are looked for by the first request.
func Opener(opts *Options) source.Opener {
	shared := &http.Client{Transport: transport.New(nil), CheckRedirect: noRedirect}
	direct := transport.New(nil)
	direct.Proxy = nil // the metadata server is beside this machine
	metadata := &http.Client{Transport: direct, CheckRedirect: noRedirect}
	return func(ctx context.Context, u *url.URL, o *source.OpenOptions) (source.Source, error) {
		loc, err := rules.Parse(u)
		if err != nil {
			return nil, err
		}
		set, err := load(loc, opts, o)
		if err != nil {
			return nil, err
		}
		if o != nil && o.HTTP != nil {
			own := *o.HTTP
			own.CheckRedirect = noRedirect
			if own.Transport == nil {
				own.Transport = shared.Transport
			}
			return newBucket(ctx, loc, set, &own, &own)
		}
		return newBucket(ctx, loc, set, shared, metadata)
	}
}

// A bucket is a source.Source of one folder or object.
type bucket struct {
	loc    location
	set    settings
	client *storage.Client
	lists  *storage.BucketHandle // small requests, tried three times
	reads  *storage.BucketHandle // bytes, which download tries again where they broke
	creds  *chain                // nil when anonymous

	single atomic.Bool // the location is an object, not a folder

	// writer is the same with tokens that may write, made when it is needed.
	writer func() (*bucket, error)
}

var (
	_ source.Source  = (*bucket)(nil)
	_ source.Locator = (*bucket)(nil)
)

func newBucket(ctx context.Context, loc location, set settings, client, metadata *http.Client) (*bucket, error) {
	b := &bucket{loc: loc, set: set}
	b.writer = sync.OnceValues(func() (*bucket, error) {
		set.scope = writeScope
		return newBucket(context.WithoutCancel(ctx), loc, set, client, metadata)
	})
	if !loc.Anonymous && !set.emulator {
		b.creds = newChain(set, client, metadata)
	}
	wired := *client
	wired.Transport = &wire{base: client.Transport, creds: b.creds, set: set}
	var err error
	b.client, err = storage.NewClient(ctx, option.WithHTTPClient(&wired), option.WithEndpoint(set.api()),
		option.WithoutAuthentication(), storage.WithJSONReads(), storage.WithDisabledClientMetrics())
	if err != nil {
		return nil, &lifecycle.Error{Op: "source.Open", Kind: lifecycle.Invalid, Target: loc.String(), Err: err}
	}
	handle := b.client.Bucket(loc.Bucket)
	if set.project != "" {
		handle = handle.UserProject(set.project)
	}
	thrice := []storage.RetryOption{
		storage.WithPolicy(storage.RetryAlways), storage.WithErrorFunc(worthRetry), storage.WithMaxAttempts(3),
		storage.WithBackoff(gax.Backoff{Initial: 200 * time.Millisecond, Max: 2 * time.Second}),
	}
	b.lists, b.reads = handle.Retryer(thrice...), handle.Retryer(storage.WithPolicy(storage.RetryNever))
	b.client.SetRetry(thrice...) // last: a handle that is made after it would share what it sets
	return b, nil
}

// worthRetry leaves it to whoever asked to come back when the service says.
func worthRetry(err error) bool {
	if api, ok := errors.AsType[*googleapi.Error](err); ok && retryAfter(api.Header, time.Now()) > 0 {
		return false
	}
	return storage.ShouldRetry(err)
}

// String returns the URI, so that nothing else of the source is ever formatted.
func (b *bucket) String() string { return b.loc.String() }

// noRedirect takes redirects for errors: Google's API has none, and a token follows none.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
