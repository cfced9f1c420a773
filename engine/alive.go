package engine

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/spinup-llm/spinup/lifecycle"
)

// Alive asks AlivePath once. It returns nil when the engine says that it serves, an error
// of kind EngineFailed when it says that it does not, and one of kind Unavailable when it
// gives no answer before ctx ends.
func (p *Process) Alive(ctx context.Context) error {
	if p.command.AlivePath == "" {
		return nil
	}
	return p.question(ctx, http.MethodGet, p.command.AlivePath, nil, http.StatusBadRequest)
}

// Answers sends the first request of the start once more and returns nil when the engine
// answers it, be it with a refusal. Errors are those of Alive.
func (p *Process) Answers(ctx context.Context) error {
	if p.command.Warmup == nil {
		return p.Alive(ctx)
	}
	return p.question(ctx, http.MethodPost, p.command.Warmup.Path, p.command.Warmup.Body, http.StatusInternalServerError)
}

// question sends one request on a connection of its own, as those of clients may be what
// hangs. A status of bad or above is a failure.
func (p *Process) question(ctx context.Context, method, path string, body []byte, bad int) error {
	client := newClient()
	defer client.CloseIdleConnections()
	resp, err := request(ctx, client, method, p.url.String()+path, body)
	if err != nil {
		return &lifecycle.Error{Op: "engine.Alive", Kind: lifecycle.Unavailable, Target: p.model, Err: err}
	}
	if resp.status >= bad {
		return &lifecycle.Error{
			Op: "engine.Alive", Kind: lifecycle.EngineFailed, Target: p.model,
			Err:  errors.New(p.redact(fmt.Sprintf("%s answers %d: %s", path, resp.status, errorMessage(resp.body)))),
			Hint: "look for the cause in the engine's output; the engine is replaced",
		}
	}
	return nil
}
