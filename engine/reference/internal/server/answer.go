package server

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/spinup-llm/spinup/engine/reference/internal/generate"
)

// usage counts tokens.
type usage struct {
	PromptTokens     int `json:"prompt_tokens"`
	CompletionTokens int `json:"completion_tokens"`
	TotalTokens      int `json:"total_tokens"`
}

// envelope is what all answers, and all pieces of streamed ones, look like.
type envelope struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	Model   string `json:"model"`
	Choices []any  `json:"choices"`
	Usage   any    `json:"usage,omitempty"` // null in the pieces before the last, where it is asked for
}

// shape is what the two kinds of answers differ in.
type shape struct {
	input         string // the parameter that makes the prompt
	prefix        string // of the id
	object, piece string // of the whole and of a piece
	first         any    // the choice of the first piece; nil means none
	whole         func(text string, finish generate.Finish) any
	delta         func(text string) any
	last          func(finish generate.Finish) any
}

// job is a request that has been checked.
type job struct {
	params
	shape
	prompt []int
}

// answers makes a handler of what turns a request's body into a job.
func (s *Server) answers(parse func(*Backend, []byte) (job, error)) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		b, err := s.loaded()
		if err != nil {
			return err
		}
		text, err := body(w, r)
		if err != nil {
			return err
		}
		j, err := parse(b, text)
		if err != nil {
			return err
		}
		return s.answer(w, r, b, j)
	}
}

// answer runs a job and writes what comes of it.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, b *Backend, j job) error {
	req, err := j.request(b)
	if err != nil {
		return err
	}
	env := envelope{ID: j.prefix + strings.ToLower(rand.Text()), Object: j.object, Created: time.Now().Unix(), Model: s.id}
	if j.stream {
		return s.stream(w, r, b, j, req, env)
	}
	var text strings.Builder
	res, err := b.Generator.Generate(r.Context(), req, func(piece string) error {
		text.WriteString(piece)
		return nil
	})
	if err != nil {
		return generateError(r.Context(), err)
	}
	env.Choices = []any{j.whole(text.String(), res.Finish)}
	env.Usage = j.usage(res)
	writeJSON(w, http.StatusOK, env)
	return nil
}

func (j job) usage(res generate.Result) usage {
	return usage{len(j.prompt), res.Tokens, len(j.prompt) + res.Tokens}
}

// request checks the lengths.
func (j job) request(b *Backend) (generate.Request, error) {
	limit := b.Generator.MaxLen()
	room := limit - len(j.prompt)
	switch {
	case len(j.prompt) == 0:
		return generate.Request{}, invalid(j.input, "the prompt has no tokens")
	case room < 1:
		return generate.Request{}, invalid(j.input, "this model's maximum context length is %d tokens, and the prompt has %d already",
			limit, len(j.prompt)).with(http.StatusBadRequest, "context_length_exceeded")
	case j.maxTokens > room:
		return generate.Request{}, invalid("max_tokens", "this model's maximum context length is %d tokens: the prompt has %d, and %d are asked for",
			limit, len(j.prompt), j.maxTokens).with(http.StatusBadRequest, "context_length_exceeded")
	}
	for _, id := range j.prompt {
		if id < 0 || id >= b.Vocab {
			return generate.Request{}, invalid(j.input, "the model does not know the token %d", id)
		}
	}
	n := j.maxTokens
	if n == 0 {
		n = room
	}
	return generate.Request{Prompt: j.prompt, MaxTokens: n, Sampling: j.sampling, Stop: j.stop, IgnoreEOS: j.ignoreEOS}, nil
}

func generateError(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, generate.ErrBusy):
		return unavailable("overloaded", err.Error())
	case ctx.Err() != nil:
		return unavailable("canceled", "the request was given up")
	default:
		return err
	}
}

// stream writes the answer as server-sent events. Until the first one, errors have a status.
func (s *Server) stream(w http.ResponseWriter, r *http.Request, b *Backend, j job, req generate.Request, env envelope) error {
	env.Object = j.piece
	if j.includeUsage {
		env.Usage = json.RawMessage("null")
	}
	out := &events{w: w, control: http.NewResponseController(w)}
	defer out.release()
	send := func(choice any) error {
		if !out.begun && j.first != nil {
			env.Choices = []any{j.first}
			if err := out.send(env); err != nil {
				return err
			}
		}
		env.Choices = []any{choice}
		return out.send(env)
	}
	res, err := b.Generator.Generate(r.Context(), req, func(text string) error { return send(j.delta(text)) })
	if err == nil {
		err = send(j.last(res.Finish))
	}
	if err == nil && j.includeUsage {
		env.Choices, env.Usage = []any{}, j.usage(res)
		err = out.send(env)
	}
	if err != nil {
		err = generateError(r.Context(), err)
		if !out.begun {
			return err
		}
		_ = out.send(map[string]any{"error": asAPI(err)}) // may have gone
		return nil
	}
	_ = out.write("[DONE]")
	return nil
}

// events writes server-sent events, each at once.
type events struct {
	w       http.ResponseWriter
	control *http.ResponseController
	begun   bool
}

// release lets the connection serve other requests.
func (e *events) release() { _ = e.control.SetWriteDeadline(time.Time{}) }

func (e *events) send(v any) error {
	var text strings.Builder
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	return e.write(strings.TrimSuffix(text.String(), "\n"))
}

func (e *events) write(data string) error {
	if !e.begun {
		e.begun = true
		e.w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		e.w.Header().Set("Cache-Control", "no-cache")
		e.w.WriteHeader(http.StatusOK)
	}
	_ = e.control.SetWriteDeadline(time.Now().Add(writeWithin)) // not there in-process
	if _, err := e.w.Write([]byte("data: " + data + "\n\n")); err != nil {
		return err
	}
	if err := e.control.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}
