package azure

import (
	"errors"
	"net/http"
	"net/url"
)

// noRedirect takes redirects for errors: the API has none, and no credentials follow one.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// A wire sits between the SDK and the network. It adds the SAS, so that the SDK, which puts
// addresses into its errors, never has it, and lets no request leave the account's origin.
type wire struct {
	client *http.Client
	origin *url.URL
	sas    func() string // nil without
}

// Do implements policy.Transporter.
func (w *wire) Do(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != w.origin.Scheme || r.URL.Host != w.origin.Host {
		return nil, errors.New("a request to " + r.URL.Host + ", which is not the account's")
	}
	if w.sas != nil {
		r = r.Clone(r.Context())
		if r.URL.RawQuery != "" {
			r.URL.RawQuery += "&"
		}
		r.URL.RawQuery += w.sas()
	}
	res, err := w.client.Do(r) //nolint:gosec // the operator names the account
	if sent, ok := errors.AsType[*url.Error](err); ok {
		return nil, sent.Err // without the address
	}
	return res, err
}
