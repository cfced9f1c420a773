package s3

import (
	"crypto/x509"
	"errors"
	"net/http"
	"net/url"
	"os"

	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/source/internal/transport"
	"golang.org/x/net/http/httpproxy"
)

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
	own := transport.New(roots)
	own.Proxy = proxyOf(s.env)
	return &http.Client{Transport: own, CheckRedirect: noRedirect}, nil
}
