package spinup

import (
	"encoding/json"
	"net/http"

	"github.com/spinup-llm/spinup/replica"
)

// Handler serves, below each application's route prefix, the OpenAI API ([replica.Gateway]),
// and at the root /healthz (200 while the program lives) and /readyz (200 only while every
// model has a ready replica, or is scaled to zero until a request comes), which need no key.
// Where there are no keys, /readyz tells of each model how many replicas are ready, and of what
// kind the last failure was; the engine's own words are for [Deployment.StartupPage] and the log.
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

// A readiness is what anybody may know of a model.
type readiness struct {
	Application string   `json:"application"`
	Model       string   `json:"model"`
	Wanted      int      `json:"wanted"`          // replicas
	Ready       int      `json:"ready"`           // replicas
	Kind        string   `json:"kind,omitempty"`  // of why a replica ended last, while none is ready
	Hints       []string `json:"hints,omitempty"` // what to do about it
}

func (d *Deployment) readyz(w http.ResponseWriter, _ *http.Request) {
	code, word := http.StatusOK, "ready"
	var models []readiness
	for _, s := range d.Status() {
		if !s.serves() {
			code, word = http.StatusServiceUnavailable, "not ready"
		}
		models = append(models, readiness{s.Application, s.Model, s.Wanted, s.Ready, s.kind, s.Hints})
	}
	answer := map[string]any{"status": word}
	if len(d.opts.Gateway.Keys) == 0 { // which models there are is not for everybody
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
