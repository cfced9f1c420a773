package hub

import (
	"context"
	"net/http"
	"net/url"
	"sync"

	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/source/internal/streams"
	"github.com/spinup-llm/spinup/source/internal/transport"
)

// Options tune the driver; nil means the defaults.
type Options struct {
	// Endpoint is the hub's URL; "" means HF_ENDPOINT, else https://huggingface.co.
	Endpoint string
	// AllowPatterns, when there are any, choose the files: those that match one of them, in
	// place of what ForEngine, or the caller of Open, chooses. []string{"*"} means all. They are the patterns of
	// Python's fnmatch, as huggingface_hub takes them: "*" crosses slashes, and a trailing
	// slash means all that is in a folder.
	AllowPatterns []string
	// IgnorePatterns leave files out, before any other choice.
	IgnorePatterns []string
	_              struct{}
}

// Opener returns the function to register: mux.Handle("hf", hub.Opener(nil)). The sources
// that it opens share one pool of connections, which are closed when idle for 30 s.
//
// Opening fails with kind Invalid where the URI or a setting is malformed. It reads the
// token's file, and offline the names in the cache, and sends nothing.
func Opener(o *Options) source.Opener {
	if o == nil {
		o = &Options{}
	}
	choice := chooser{allow: newPatterns(o.AllowPatterns), ignore: newPatterns(o.IgnorePatterns)}
	endpoint := o.Endpoint
	own := transport.New(nil)
	own.ResponseHeaderTimeout = 0 // HF_HUB_ETAG_TIMEOUT and HF_HUB_DOWNLOAD_TIMEOUT say
	shared := &http.Client{Transport: own, CheckRedirect: noRedirect}
	return func(_ context.Context, u *url.URL, open *source.OpenOptions) (source.Source, error) {
		loc, err := parse(u)
		if err != nil {
			return nil, err
		}
		set, err := load(loc, endpoint, open)
		if err != nil {
			return nil, err
		}
		r := &repo{loc: loc, set: set, choice: choice, client: shared, pins: map[pinKey]*pin{}, listings: map[string]listing{}}
		r.small.turn = make(chan struct{}, 1)
		if open != nil && open.HTTP != nil {
			own := *open.HTTP
			own.CheckRedirect = noRedirect
			r.client = &own
		}
		if open != nil {
			r.choice.other, r.choice.format = open.Choose, open.Format
		}
		if here := r.inPlace(); here != nil {
			return here, nil
		}
		return r, nil
	}
}

// A repo is a source.Source of one model.
type repo struct {
	loc    location
	set    settings
	choice chooser
	client *http.Client

	small   shortcut
	streams streams.Streams

	mu       sync.Mutex
	pins     map[pinKey]*pin
	listings map[string]listing // of the commits that were resolved
	index    heldFile
}

var _ source.HubCached = (*repo)(nil)

// String returns the URI, so that nothing else of the source is ever formatted.
func (r *repo) String() string { return r.loc.String() }

// noRedirect leaves redirects to the driver, which knows for whom the token is.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
