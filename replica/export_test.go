package replica

import "net/http"

// Via makes rt reach engines through engine instead of the network.
func (rt *Router) Via(engine http.RoundTripper) *Router {
	rt.engine = engine
	return rt
}

// Tripped is how many failures in a row open the circuit.
const Tripped = tripped
