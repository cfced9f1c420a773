package engine

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spinup-llm/spinup/lifecycle"
)

// An Adapter is a LoRA adapter whose files are here.
type Adapter struct {
	Name string // what requests call it
	Dir  string // with adapter_config.json; it stays there while the adapter is loaded
}

// An AdapterLoader is an Engine that loads adapters while it serves, where Spec.Adapters says
// so. Optional; its methods are pure as well.
type AdapterLoader interface {
	Engine
	// CheckAdapter refuses what the engine cannot load, before it is asked to. The spec's Dir
	// may be "", where the model's files are not here yet.
	CheckAdapter(spec Spec, a Adapter) error
	// LoadAdapter and UnloadAdapter are what the running engine is asked.
	LoadAdapter(a Adapter) Call
	UnloadAdapter(a Adapter) Call
}

// A Call is a POST to an engine.
type Call struct {
	Path string
	Body []byte // JSON
}

// LoadAdapter has the engine load an adapter that CheckAdapter has seen. Errors: Invalid, with
// the engine's words, where it refuses the adapter; EngineFailed where it does not serve, or gives
// no answer within 5 minutes.
func (p *Process) LoadAdapter(ctx context.Context, e AdapterLoader, a Adapter) error {
	return p.loadWithin(ctx, callWithin, e, a)
}

func (p *Process) loadWithin(ctx context.Context, limit time.Duration, e AdapterLoader, a Adapter) error {
	call := func(c Call) error { return p.call(ctx, limit, "engine.LoadAdapter", a, c) }
	err := call(e.LoadAdapter(a))
	if errors.Is(err, lifecycle.Invalid) && call(e.UnloadAdapter(a)) == nil {
		return call(e.LoadAdapter(a)) // it had it, of a load that was given up
	}
	return err
}

// UnloadAdapter has the engine let go of an adapter. Errors are those of LoadAdapter.
func (p *Process) UnloadAdapter(ctx context.Context, e AdapterLoader, a Adapter) error {
	return p.call(ctx, callWithin, "engine.UnloadAdapter", a, e.UnloadAdapter(a))
}

// callWithin is how long an engine may take to load an adapter whose files are here, between
// the batches that it works on.
const callWithin = 5 * time.Minute

// call asks for something that concerns a. An engine that fails in it may have died of it, and one
// that says nothing within limit may hang: whether it serves is for its owner to ask.
func (p *Process) call(ctx context.Context, limit time.Duration, op string, a Adapter, c Call) error {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	client := newClient()
	defer client.CloseIdleConnections()
	r, err := request(limited, client, http.MethodPost, p.url.String()+c.Path, c.Body)
	switch {
	case err == nil && r.status/100 == 2:
		return nil
	case ctx.Err() != nil:
		return lifecycle.FromContext(ctx, op, a.Name)
	case err == nil && (r.status < http.StatusInternalServerError || p.Alive(limited) == nil):
		said := strings.ReplaceAll(p.redact(errorMessage(r.body)), a.Dir, a.Name)
		return &lifecycle.Error{
			Op: op, Kind: lifecycle.Invalid, Target: a.Name, Err: fmt.Errorf("the engine refuses it: %s", said),
			Hint: "look for the cause in the engine's output; the adapter may be for another model",
		}
	}
	if err == nil {
		err = errors.New(p.redact(errorMessage(r.body)))
	}
	return &lifecycle.Error{
		Op: op, Kind: lifecycle.EngineFailed, Target: a.Name, Err: err, Hint: "look for the cause in the engine's output",
	}
}
