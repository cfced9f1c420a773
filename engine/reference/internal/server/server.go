package server

import (
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/spinup-llm/spinup/engine/reference/internal/chat"
	"github.com/spinup-llm/spinup/engine/reference/internal/generate"
	"github.com/spinup-llm/spinup/engine/reference/internal/tokenizer"
)

const (
	maxBody     = 4 << 20          // bytes of a request
	bodyWithin  = 30 * time.Second // for a request's body to arrive
	writeWithin = 30 * time.Second // for a piece of an answer to leave
)

// A Backend is a loaded model.
type Backend struct {
	Generator *generate.Generator
	Tokenizer *tokenizer.Tokenizer
	Template  *chat.Template    // nil means that the model cannot chat, and NoChat why
	NoChat    error             // one sentence
	Sampling  generate.Sampling // for requests that say nothing else
	Vocab     int               // tokens that the model knows
}

// A Server is the HTTP face of one model. It is safe for concurrent use.
type Server struct {
	id      string
	created int64
	mux     *http.ServeMux
	backend atomic.Pointer[Backend]
}

// New returns a server for the model of that name, which is still loading.
func New(id string) *Server {
	s := &Server{id: id, created: time.Now().Unix(), mux: http.NewServeMux()}
	s.mux.HandleFunc("/ping", method(http.MethodGet, func(http.ResponseWriter, *http.Request) error { return nil }))
	s.mux.HandleFunc("/health", method(http.MethodGet, s.health))
	s.mux.HandleFunc("/v1/models", method(http.MethodGet, s.models))
	s.mux.HandleFunc("/v1/models/{id...}", method(http.MethodGet, s.model))
	s.mux.HandleFunc("/v1/chat/completions", method(http.MethodPost, s.answers(s.chatJob)))
	s.mux.HandleFunc("/v1/completions", method(http.MethodPost, s.answers(s.completionJob)))
	s.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeError(w, invalid("", "there is nothing at %s %s", r.Method, r.URL.Path).with(http.StatusNotFound, "not_found"))
	})
	return s
}

// Serve makes the model available.
func (s *Server) Serve(b Backend) { s.backend.Store(&b) }

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// method lets one method through and writes the errors of f.
func method(allowed string, f func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != allowed && (allowed != http.MethodGet || r.Method != http.MethodHead) {
			w.Header().Set("Allow", allowed)
			writeError(w, invalid("", "%s takes %s only", r.URL.Path, allowed).with(http.StatusMethodNotAllowed, "method_not_allowed"))
			return
		}
		if err := f(w, r); err != nil {
			writeError(w, err)
		}
	}
}

// loaded returns the model, or the error that it is not there yet.
func (s *Server) loaded() (*Backend, error) {
	if b := s.backend.Load(); b != nil {
		return b, nil
	}
	return nil, unavailable("loading", "the model is loading")
}

func (s *Server) health(w http.ResponseWriter, _ *http.Request) error {
	if _, err := s.loaded(); err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
	return nil
}

// card describes the model.
type card struct {
	ID          string `json:"id"`
	Object      string `json:"object"`
	Created     int64  `json:"created"`
	OwnedBy     string `json:"owned_by"`
	MaxModelLen int    `json:"max_model_len"`
}

func (s *Server) card(b *Backend) card {
	return card{s.id, "model", s.created, "spinup", b.Generator.MaxLen()}
}

func (s *Server) models(w http.ResponseWriter, _ *http.Request) error {
	b, err := s.loaded()
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, map[string]any{"object": "list", "data": []card{s.card(b)}})
	return nil
}

func (s *Server) model(w http.ResponseWriter, r *http.Request) error {
	b, err := s.loaded()
	if err != nil {
		return err
	}
	if err := s.knows(r.PathValue("id")); err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, s.card(b))
	return nil
}

// knows refuses other models. A request need not name one.
func (s *Server) knows(id string) error {
	if id == "" || id == s.id {
		return nil
	}
	return invalid("model", "the model %.100q does not exist; there is %q", id, s.id).with(http.StatusNotFound, "model_not_found")
}

// body reads a request within limits of size and time.
func body(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(bodyWithin)) // not there in-process
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	_ = control.SetReadDeadline(time.Time{})
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, invalid("", "the request has more than %d bytes", maxBody).with(http.StatusRequestEntityTooLarge, "request_too_large")
	}
	if err != nil {
		return nil, invalid("", "the request did not arrive: %v", err)
	}
	return text, nil
}
