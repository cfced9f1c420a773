package azure

import (
	"context"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/source/internal/transport"
)

// Schemes are those whose URIs the driver reads: Ray's two, and the one of fsspec and of the
// Run:ai streamer.
var Schemes = []string{"abfss", "azure", "az"}

// Opener returns the function to register for each of [Schemes]. The sources that it opens
// share one pool of connections, which are closed when idle for 30 s.
//
// Opening fails with kind Invalid where the URI or a variable is wrong, or where no account
// is named. Tokens are asked for by the first request.
func Opener() source.Opener {
	shared := &http.Client{Transport: transport.New(nil), CheckRedirect: noRedirect}
	direct := transport.New(nil)
	direct.Proxy = nil // the identity of a machine is given beside it
	metadata := &http.Client{Transport: direct, CheckRedirect: noRedirect}
	return func(_ context.Context, u *url.URL, o *source.OpenOptions) (source.Source, error) {
		loc, err := parse(u)
		if err != nil {
			return nil, err
		}
		client, machine := shared, metadata
		if o != nil && o.HTTP != nil {
			own := *o.HTTP
			own.CheckRedirect = noRedirect
			client, machine = &own, &own
		}
		set, err := load(&loc, o)
		if err != nil {
			return nil, err
		}
		return newFolder(loc, set, client, machine)
	}
}

// A folder is a source.Source of one folder or blob of a container.
type folder struct {
	loc       location
	set       settings
	account   *service.Client
	container *container.Client
	login     *chain // nil without tokens

	single atomic.Bool // the location is a blob, not a folder
}

var (
	_ source.Source  = (*folder)(nil)
	_ source.Locator = (*folder)(nil)
)

func newFolder(loc location, set settings, client, machine *http.Client) (*folder, error) {
	f := &folder{loc: loc, set: set}
	o := &service.ClientOptions{ClientOptions: azcore.ClientOptions{
		Transport: &wire{client: client, origin: set.endpoint, sas: set.sas},
		Retry:     policy.RetryOptions{MaxRetries: 2, RetryDelay: 200 * time.Millisecond, MaxRetryDelay: 2 * time.Second},
	}}
	at := set.endpoint.String()
	var err error
	switch {
	case set.key != nil:
		var key *service.SharedKeyCredential
		if key, err = set.key(); err == nil {
			f.account, err = service.NewClientWithSharedKeyCredential(at, key, o)
		}
	case set.tokens:
		f.login = newChain(set, client, machine)
		f.account, err = service.NewClient(at, f.login, o)
	default:
		f.account, err = service.NewClientWithNoCredential(at, o)
	}
	if err != nil {
		return nil, &lifecycle.Error{
			Op: "source.Open", Kind: lifecycle.Invalid, Target: loc.String(),
			Err: errBadKey, Hint: "copy the key of the account once more, from " + set.from,
		}
	}
	f.container = f.account.NewContainerClient(loc.container)
	return f, nil
}

// String returns the URI, so that nothing else of the source is ever formatted.
func (f *folder) String() string { return f.loc.String() }

// blob returns the client of one blob.
func (f *folder) blob(name string) *blob.Client { return f.container.NewBlobClient(name) }
