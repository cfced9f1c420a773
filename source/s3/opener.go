package s3

import (
	"context"
	"net/http"
	"net/url"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/source/internal/transport"
)

// Options tune the driver; nil means the defaults. What the environment of a model says
// comes before them.
type Options struct {
	// RequesterPays accepts the costs of buckets whose readers pay; else
	// AWS_REQUEST_PAYER=requester does.
	RequesterPays bool
	// PathStyle addresses buckets by path instead of by host; nil chooses by endpoint, see
	// the package's Settings.
	PathStyle *bool
	_         struct{}
}

// Opener returns the function to register: mux.Handle("s3", s3.Opener(nil)). The sources
// that it opens share one pool of connections, which are closed when idle for 30 s.
//
// Opening fails with kind Invalid where the URI, the endpoint or a file that a variable
// names is wrong. Credentials are fetched by the first request.
func Opener(opts *Options) source.Opener {
	if opts == nil {
		opts = &Options{}
	}
	shared := &http.Client{Transport: transport.New(nil), CheckRedirect: noRedirect}
	return func(ctx context.Context, u *url.URL, o *source.OpenOptions) (source.Source, error) {
		loc, err := rules.Parse(u)
		if err != nil {
			return nil, err
		}
		set, err := load(ctx, loc, o)
		if err != nil {
			return nil, err
		}
		client, err := httpClient(shared, loc, set, o)
		if err != nil {
			return nil, err
		}
		set.choose(loc, opts)
		return newBucket(ctx, loc, set, client), nil
	}
}

// A bucket is a source.Source of one folder or object.
type bucket struct {
	loc    location
	client *s3.Client
	creds  *chain                // nil when anonymous
	cache  *aws.CredentialsCache // of creds
	payer  types.RequestPayer
	custom bool // the endpoint is not one of AWS

	region atomic.Pointer[string] // changes once, when the bucket lives elsewhere
	single atomic.Bool            // the location is an object, not a folder
}

var (
	_ source.Digester = (*bucket)(nil)
	_ source.Locator  = (*bucket)(nil)
)

func newBucket(ctx context.Context, loc location, set settings, client *http.Client) *bucket {
	b := &bucket{loc: loc, custom: set.endpoint != "", payer: set.payer}
	b.region.Store(&set.region)
	o := s3.Options{
		Region:                     set.region,
		HTTPClient:                 client,
		UsePathStyle:               set.pathStyle,
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired, // download verifies
	}
	if set.endpoint != "" {
		o.BaseEndpoint = &set.endpoint
	}
	o.EndpointOptions.UseFIPSEndpoint, o.EndpointOptions.UseDualStackEndpoint = set.fips, set.dualStack
	if loc.Anonymous {
		o.Credentials = aws.AnonymousCredentials{}
	} else {
		b.creds = newChain(ctx, set, client)
		b.cache = aws.NewCredentialsCache(b.creds, func(o *aws.CredentialsCacheOptions) { o.ExpiryWindow = early })
		o.Credentials = b.cache
	}
	b.client = s3.New(o)
	return b
}

// String returns the URI, so that nothing else of the source is ever formatted.
func (b *bucket) String() string { return b.loc.String() }
