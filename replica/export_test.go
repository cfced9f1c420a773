package replica

import "net/http"

// Via makes rt reach engines through engine instead of the network.
func (rt *Router) Via(engine http.RoundTripper) *Router {
	rt.engine = engine
	return rt
}

// Tripped is how many failures in a row open the circuit.
const Tripped = tripped

// Naming returns r as the gateway passes it on: with the adapter that its model names.
func Naming(r *http.Request, adapter string) *http.Request { return naming(r, adapter) }

// Crowded is how many more requests a replica may have because of its adapters.
const Crowded = crowded
