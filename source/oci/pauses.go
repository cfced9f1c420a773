package oci

import (
	"net/http"
	"time"
)

// A pauses makes an error of an answer that asks for a pause, also of one of a service of tokens,
// of which the client would drop the headers. A 401 stays: it says where tokens are.
type pauses struct{ base http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (p *pauses) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := p.base.RoundTrip(r)
	if err != nil || res.StatusCode < 400 || res.StatusCode == http.StatusUnauthorized || retryAfter(res.Header, time.Now()) <= 0 {
		return res, err
	}
	return nil, refusal(res)
}
