//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/lifecycle"
)

// engineArg makes this program the engine.
const engineArg = "echo-engine"

// echo is the driver of an engine that answers at once.
type echo struct{}

func (echo) Name() string            { return "echo" }
func (echo) Check(engine.Spec) error { return nil }

func (echo) Command(spec engine.Spec) (engine.Command, error) {
	self, err := os.Executable()
	return engine.Command{
		Path: self, Args: []string{engineArg, spec.Addr}, Env: engine.BaseEnv(os.Environ()), AlivePath: "/health", ReadyPath: "/health",
	}, err
}

func (echo) NewParser(engine.Spec) engine.Parser { return parser{} }

type parser struct{}

func (parser) Parse([]byte) []lifecycle.Event { return nil }
func (parser) Explain(exit int) *lifecycle.Error {
	return &lifecycle.Error{Kind: lifecycle.EngineFailed, Err: fmt.Errorf("exit %d", exit)}
}

// A question is what the engine is asked.
type question struct {
	Model  string `json:"model"`
	Tokens int    `json:"max_tokens"` // 0: no stream
	Every  int    `json:"every"`      // microseconds between tokens
}

// runEngine serves on addr and never returns.
func runEngine(addr string) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /v1/completions", answer)
	fmt.Fprintln(os.Stderr, http.ListenAndServe(addr, mux)) //nolint:gosec // nobody else asks it
	os.Exit(1)
}

// answer says one thing, or streams tokens, each flushed. Those that are paced tell when they
// were written.
func answer(w http.ResponseWriter, r *http.Request) {
	var q question
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if q.Tokens == 0 {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"object":"text_completion","choices":[{"index":0,"text":"echo","finish_reason":"stop"}]}`))
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	flusher := http.NewResponseController(w)
	var tick <-chan time.Time
	if q.Every > 0 {
		ticker := time.NewTicker(time.Duration(q.Every) * time.Microsecond)
		defer ticker.Stop()
		tick = ticker.C
	}
	event := []byte(nil)
	for i := range q.Tokens {
		event = append(event[:0], `data: {"choices":[{"index":0,"text":" token `...)
		mark := int64(i)
		if tick != nil {
			select {
			case <-tick:
			case <-r.Context().Done():
				return
			}
			mark = time.Now().UnixNano()
		}
		event = append(strconv.AppendInt(event, mark, 10), "\"}]}\n\n"...)
		if _, err := w.Write(event); err != nil || flusher.Flush() != nil {
			return
		}
	}
	_, _ = w.Write([]byte("data: [DONE]\n\n"))
}
