package s3

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/spinup-llm/spinup/source"
	"golang.org/x/net/http/httpproxy"
)

const dialTimeout = 10 * time.Second

// newTransport speaks HTTP/1.1: one connection per range is faster than streams of HTTP/2,
// at two thirds of the CPU time. It asks for no compression, so that bytes are the object's.
func newTransport(roots *x509.CertPool, proxy func(*http.Request) (*url.URL, error)) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	d := dialer{
		Dialer: net.Dialer{Timeout: dialTimeout, KeepAlive: 15 * time.Second},
		tls:    &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
	}
	return &http.Transport{
		Proxy:                 proxy,
		DialContext:           d.plain,
		DialTLSContext:        d.encrypted,
		TLSClientConfig:       d.tls, // through a proxy
		TLSHandshakeTimeout:   dialTimeout,
		ResponseHeaderTimeout: 30 * time.Second,
		MaxIdleConnsPerHost:   64,
		IdleConnTimeout:       30 * time.Second,
		DisableCompression:    true,
		Protocols:             protocols,
	}
}

// noRedirect leaves redirects to the driver, which signs anew for the other region.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// proxyOf returns the proxies that env names, those of the process last.
func proxyOf(env func(string) string) func(*http.Request) (*url.URL, error) {
	either := func(upper, lower string) string {
		if v := env(lower); v != "" {
			return v
		}
		return env(upper)
	}
	c := httpproxy.Config{
		HTTPProxy: either("HTTP_PROXY", "http_proxy"), HTTPSProxy: either("HTTPS_PROXY", "https_proxy"),
		NoProxy: either("NO_PROXY", "no_proxy"),
	}
	proxy := c.ProxyFunc()
	return func(r *http.Request) (*url.URL, error) { return proxy(r.URL) }
}

// sameProxies reports whether env names the proxies of the process.
func sameProxies(env func(string) string) bool {
	for _, key := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"} {
		if env(key) != os.Getenv(key) {
			return false
		}
	}
	return true
}

// httpClient returns the caller's client, or the shared one, or one with the proxies and
// the authorities that the environment of this model alone names.
func httpClient(shared *http.Client, loc location, s settings, o *source.OpenOptions) (*http.Client, error) {
	if o != nil && o.HTTP != nil {
		c := *o.HTTP
		c.CheckRedirect = noRedirect
		return &c, nil
	}
	bundle := s.env("AWS_CA_BUNDLE")
	if bundle == "" && sameProxies(s.env) {
		return shared, nil
	}
	var roots *x509.CertPool
	if bundle != "" {
		const hint = "let AWS_CA_BUNDLE name a file of PEM certificates"
		pem, err := os.ReadFile(bundle) //nolint:gosec // the operator names it
		if err != nil {
			return nil, invalid(loc, err, hint)
		}
		roots = x509.NewCertPool()
		if !roots.AppendCertsFromPEM(pem) {
			return nil, invalid(loc, errors.New(bundle+" holds no certificate"), hint)
		}
	}
	return &http.Client{Transport: newTransport(roots, proxyOf(s.env)), CheckRedirect: noRedirect}, nil
}

// A dialer makes connections that need few system calls for many bytes.
type dialer struct {
	net.Dialer
	tls *tls.Config
}

// plain dials for HTTP, and for what a proxy then encrypts.
func (d dialer) plain(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return waiting(conn), nil
}

// encrypted dials for HTTPS without a proxy.
func (d dialer) encrypted(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	c := d.tls.Clone()
	if c.ServerName, _, err = net.SplitHostPort(addr); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	secure := tls.Client(newBuffered(conn), c)
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return secure, nil
}
