package web

import (
	"context"
	"net/http"
	"net/url"
	"sync/atomic"

	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/source/internal/streams"
	"github.com/spinup-llm/spinup/source/internal/transport"
)

// Options tune the driver; nil means the defaults.
type Options struct{ _ struct{} }

// Opener returns the function to register for "http" and "https". The sources that it opens
// share one pool of connections, which are closed when idle for 30 s.
//
// Opening fails with kind Invalid where the URI or SPINUP_HTTP_ORIGIN is wrong.
func Opener(_ *Options) source.Opener {
	shared := &http.Client{Transport: transport.New(nil), CheckRedirect: noRedirect}
	return func(_ context.Context, u *url.URL, o *source.OpenOptions) (source.Source, error) {
		loc, err := parse(u)
		if err != nil {
			return nil, err
		}
		s := &site{loc: loc, client: shared}
		if s.auth, err = credentials(loc, u, o.Env); err != nil {
			return nil, err
		}
		if o != nil && o.HTTP != nil {
			own := *o.HTTP
			own.CheckRedirect = noRedirect
			s.client = &own
		}
		return s, nil
	}
}

// A site is a source.Source of one folder, list or file.
type site struct {
	loc    location
	client *http.Client
	auth   *auth // nil when there is none

	single  atomic.Bool // the location is a file, not a folder
	streams streams.Streams
}

var _ source.Source = (*site)(nil)

// String returns the URI, so that nothing else of the source is ever formatted.
func (s *site) String() string { return s.loc.String() }

// noRedirect leaves redirects to the driver, which knows for whom the credentials are.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
