package oci

import (
	"errors"
	"net/http"
)

// leaveSecrets follows redirects, to another origin (scheme, host and port) without
// credentials, and never from TLS to plain HTTP.
func leaveSecrets(r *http.Request, via []*http.Request) error {
	first := via[0].URL
	switch {
	case len(via) >= 10:
		return errors.New("the registry redirects in circles")
	case first.Scheme == "https" && r.URL.Scheme != "https":
		return errors.New("the registry redirects from TLS to plain HTTP")
	}
	if r.URL.Scheme != first.Scheme || r.URL.Host != first.Host {
		r.Header.Del("Authorization")
	}
	r.Header.Del("Referer") // it is an address
	return nil
}
