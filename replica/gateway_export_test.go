package replica

import "net/http"

// ModelField returns the model that a body names, and whether it names one.
func ModelField(contentType, body string) (string, bool) {
	name, bad := modelField(contentType, []byte(body))
	return name, bad == nil
}

// Rename calls the model of a body id.
func Rename(contentType, body, id string) string {
	return string(rename(contentType, []byte(body), id))
}

// GatewayVia is a gateway for the model m that reaches engines through engines.
func GatewayVia(o *GatewayOptions, engines http.RoundTripper, s *Set) *Gateway {
	g := NewGateway(o, Model{ID: "m", Set: s})
	for _, to := range g.routes {
		to.router.Via(engines)
	}
	return g
}
