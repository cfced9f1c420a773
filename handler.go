package spinup

import (
	"encoding/json"
	"net/http"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/replica"
)

// Handler serves, below each application's route prefix, /v1/models, /v1/chat/completions,
// /v1/completions and /v1/embeddings, and at the root /healthz (200 while the program
// lives) and /readyz (200 only while every model has a ready replica). It may be used
// before Ready: requests then get 503 with Retry-After.
func (d *Deployment) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		respond(w, http.StatusOK, map[string]string{"status": "alive"})
	})
	mux.HandleFunc("GET /readyz", d.readyz)
	for _, app := range d.apps {
		models := make([]replica.Model, len(app.models))
		for i, m := range app.models {
			models[i] = replica.Model{ID: m.id(), Created: m.made, Set: m.set}
		}
		mux.Handle(app.prefix+"/", http.StripPrefix(app.prefix, replica.NewGateway(models...)))
	}
	return mux
}

// status is the readiness of one model.
type status struct {
	Model    string          `json:"model"`
	Ready    int             `json:"ready"`    // replicas
	Replicas []replicaStatus `json:"replicas"` // with those that are starting
	Error    string          `json:"error,omitempty"`
}

type replicaStatus struct {
	ID    string          `json:"id"`
	Stage lifecycle.Stage `json:"stage"`
}

func (d *Deployment) readyz(w http.ResponseWriter, _ *http.Request) {
	code, word := http.StatusOK, "ready"
	var models []status
	for m := range d.models() {
		s := m.status()
		if s.Ready == 0 {
			code, word = http.StatusServiceUnavailable, "not ready"
		}
		models = append(models, s)
	}
	respond(w, code, map[string]any{"status": word, "models": models})
}

func (m *model) status() status {
	s := status{Model: m.id(), Replicas: []replicaStatus{}}
	for r := range m.set.All() {
		s.Replicas = append(s.Replicas, replicaStatus{ID: r.ID, Stage: r.Stage})
		if r.Stage == lifecycle.StageReady {
			s.Ready++
		}
	}
	if err := m.set.LastErr(); err != nil && s.Ready == 0 {
		s.Error = err.Error()
	}
	return s
}

func respond(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	if code == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v) // the client may have gone
}
