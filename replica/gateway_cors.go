package replica

import (
	"net/http"
	"slices"
)

// cors lets web pages of the allowed origins call, and answers a browser that asks before it
// sends a request. It reports whether r is answered. Engines do not learn of an origin: they
// might allow more.
func (g *Gateway) cors(w http.ResponseWriter, r *http.Request) (answered bool) {
	if len(g.opts.Origins) == 0 {
		r.Header.Del("Origin")
		return false
	}
	h := w.Header()
	h.Add("Vary", "Origin")
	origin := r.Header.Get("Origin")
	r.Header.Del("Origin")
	if origin == "" || !slices.Contains(g.opts.Origins, origin) && !slices.Contains(g.opts.Origins, "*") {
		return false
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Expose-Headers", requestID+", Retry-After")
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	h.Set("Access-Control-Allow-Methods", "GET, POST")
	h.Set("Access-Control-Allow-Headers", r.Header.Get("Access-Control-Request-Headers")) // official clients send many
	h.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
	return true
}
