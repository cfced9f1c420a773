package replica

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Model is one entry of a Gateway.
type Model struct {
	ID      string
	Created time.Time
	Set     *Set
}

// Gateway is the door: the OpenAI API for several models, chosen by the model field of the
// request. It answers GET /v1/models itself and passes POST /v1/chat/completions,
// /v1/completions and /v1/embeddings to the engines.
type Gateway struct {
	models  []Model
	routers map[string]*Router
	mux     *http.ServeMux
	maxBody int64
}

// maxBody bounds a request: 32 MiB holds a prompt of millions of tokens.
const maxBody = 32 << 20

// NewGateway returns a gateway for models, whose ids differ.
func NewGateway(models ...Model) *Gateway {
	g := &Gateway{models: models, routers: map[string]*Router{}, mux: http.NewServeMux(), maxBody: maxBody}
	for _, m := range models {
		g.routers[m.ID] = NewRouter(m.Set)
	}
	g.mux.HandleFunc("GET /v1/models", g.list)
	g.mux.HandleFunc("GET /v1/models/{id...}", g.describe)
	for _, path := range []string{"/v1/chat/completions", "/v1/completions", "/v1/embeddings"} {
		g.mux.HandleFunc("POST "+path, g.route)
		g.mux.HandleFunc(path, wantPost)
	}
	g.mux.HandleFunc("/", unknownPath)
	return g
}

// ServeHTTP implements http.Handler.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) { g.mux.ServeHTTP(w, r) }

func (g *Gateway) list(w http.ResponseWriter, _ *http.Request) {
	cards := make([]modelCard, len(g.models))
	for i, m := range g.models {
		cards[i] = m.card()
	}
	writeJSON(w, http.StatusOK, map[string]any{"object": "list", "data": cards})
}

func (g *Gateway) describe(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	i := slices.IndexFunc(g.models, func(m Model) bool { return m.ID == id })
	if i < 0 {
		g.unknownModel(w, id)
		return
	}
	writeJSON(w, http.StatusOK, g.models[i].card())
}

func (m Model) card() modelCard {
	return modelCard{ID: m.ID, Object: "model", Created: m.Created.Unix(), OwnedBy: "spinup"}
}

// route reads the whole request, so that it can be tried again, and sends it to its model.
func (g *Gateway) route(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, g.maxBody))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		badRequest(w, http.StatusRequestEntityTooLarge, "request_too_large",
			fmt.Sprintf("the request body is larger than %d bytes", g.maxBody))
		return
	}
	if err != nil {
		badRequest(w, http.StatusBadRequest, "unreadable_body", "the request body could not be read")
		return
	}
	var request struct {
		Model *string `json:"model"`
	}
	err = json.Unmarshal(body, &request)
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && wrong.Field == "model" {
		badRequest(w, http.StatusBadRequest, "invalid_model", "the field model must be a string; known models: "+g.names())
		return
	}
	if err != nil {
		badRequest(w, http.StatusBadRequest, "invalid_json", "the request body is not valid JSON: "+err.Error())
		return
	}
	if request.Model == nil {
		badRequest(w, http.StatusBadRequest, "missing_model", "the field model is missing; known models: "+g.names())
		return
	}
	router, ok := g.routers[*request.Model]
	if !ok {
		g.unknownModel(w, *request.Model)
		return
	}
	r.ContentLength = int64(len(body))
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	r.Body, _ = r.GetBody()
	router.ServeHTTP(w, r)
}

func (g *Gateway) unknownModel(w http.ResponseWriter, id string) {
	badRequest(w, http.StatusNotFound, "model_not_found",
		fmt.Sprintf("the model %q does not exist; known models: %s", id, g.names()))
}

func (g *Gateway) names() string {
	names := make([]string, len(g.models))
	for i, m := range g.models {
		names[i] = m.ID
	}
	return strings.Join(names, ", ")
}

func wantPost(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Allow", http.MethodPost)
	badRequest(w, http.StatusMethodNotAllowed, "method_not_allowed", "use POST for "+r.URL.Path)
}

func unknownPath(w http.ResponseWriter, r *http.Request) {
	badRequest(w, http.StatusNotFound, "unknown_path", fmt.Sprintf("no %s %s here; see /v1/models", r.Method, r.URL.Path))
}
