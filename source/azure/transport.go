package azure

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"time"
)

// newTransport speaks HTTP/1.1: one connection per range is faster than streams of HTTP/2,
// at two thirds of the CPU time. It asks for no compression, so that bytes are the blob's.
func newTransport() *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: 30 * time.Second,
		MaxIdleConnsPerHost:   64,
		IdleConnTimeout:       30 * time.Second,
		DisableCompression:    true,
		Protocols:             protocols,
	}
}

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
