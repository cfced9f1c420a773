package spinup

import (
	"encoding/json"
	"net/http"

	"github.com/spinup-llm/spinup/replica"
)

// Handler serves, below each application's route prefix, the OpenAI API ([replica.Gateway]),
// and at the root /healthz (200 while the program lives) and /readyz (200 only while every
// model has a ready replica, or is scaled to zero until a request comes), which need no key;
// /readyz says why only where there are none.
// It may be used before Ready: requests then wait within [Options].Limits, and get 503 with
// Retry-After beyond them.
func (d *Deployment) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		respond(w, http.StatusOK, map[string]string{"status": "alive"})
	})
	mux.HandleFunc("GET /readyz", d.readyz)
	d.revision.RLock()
	defer d.revision.RUnlock()
	for _, app := range d.apps {
		models := make([]replica.Model, len(app.models))
		for i, m := range app.models {
			models[i] = replica.Model{ID: m.id(), Aliases: d.opts.aliases(m.id()), Created: m.made, Set: m.set}
		}
		mux.Handle(app.prefix+"/", http.StripPrefix(app.prefix, replica.NewGateway(&d.opts.Gateway, models...)))
	}
	return mux
}

func (d *Deployment) readyz(w http.ResponseWriter, _ *http.Request) {
	code, word := http.StatusOK, "ready"
	models := d.Status()
	for _, s := range models {
		if !s.serves() {
			code, word = http.StatusServiceUnavailable, "not ready"
		}
	}
	answer := map[string]any{"status": word}
	if len(d.opts.Gateway.Keys) == 0 { // which models there are, and what is wrong, is not for everybody
		answer["models"] = models
	}
	respond(w, code, answer)
}

func respond(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	if code == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v) // the client may have gone
}
