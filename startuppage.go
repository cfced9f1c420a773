package spinup

import (
	"fmt"
	"net/http"
)

// StartupPage serves the timeline: as text, or, with ?format=trace, as a Chrome trace that
// chrome://tracing and Perfetto open. Mount it where operators look, such as /debug/startup.
func (d *Deployment) StartupPage() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("format") == "trace" {
			respond(w, http.StatusOK, d.Timeline())
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		for m := range d.models() {
			s := m.status()
			fmt.Fprintf(w, "%s: %d ready\n", s.Model, s.Ready)
			for _, r := range s.Replicas {
				fmt.Fprintf(w, "  %s %s\n", r.ID, r.Stage)
			}
			if s.Error != "" {
				fmt.Fprintf(w, "  last error: %s\n", s.Error)
			}
		}
		fmt.Fprintln(w)
		_, _ = d.Timeline().WriteTo(w) // the client may have gone
	})
}
