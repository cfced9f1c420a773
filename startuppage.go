package spinup

import (
	"fmt"
	"net/http"
)

// StartupPage serves the status of every replica and the timeline: as text; with
// ?format=json, [Deployment.Status]; with ?format=trace, a Chrome trace that chrome://tracing
// and Perfetto open. Mount it where operators look, such as /debug/startup. Where there are
// keys, it wants one that is good for all models.
func (d *Deployment) StartupPage() http.Handler {
	return d.opts.Gateway.Keys.Protect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Query().Get("format") {
		case "trace":
			respond(w, http.StatusOK, d.Timeline())
			return
		case "json":
			respond(w, http.StatusOK, d.Status())
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		for _, s := range d.Status() {
			s.print(w)
		}
		fmt.Fprintln(w)
		_, _ = d.Timeline().WriteTo(w) // the client may have gone
	}))
}
