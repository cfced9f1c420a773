package engine

import (
	"context"
	"fmt"
	"net/http"

	"github.com/spinup-llm/spinup/lifecycle"
)

// Load is what an engine says of its work.
type Load struct {
	Running int     // requests in the batch
	Waiting int     // requests that wait for the batch
	KVUsage float64 // of the KV cache, 0 to 1
}

// A LoadTeller is an Engine that tells its load over HTTP. Optional.
type LoadTeller interface {
	Engine
	// LoadPath answers a GET with what ParseLoad reads.
	LoadPath() string
	// ParseLoad reads an answer of at most 1 MiB.
	ParseLoad(body []byte) (Load, error)
}

// Load asks the engine for its load. Errors are of kind Unavailable.
func (p *Process) Load(ctx context.Context, t LoadTeller) (Load, error) {
	client := newClient()
	defer client.CloseIdleConnections()
	r, err := request(ctx, client, http.MethodGet, p.url.String()+t.LoadPath(), nil)
	if err == nil && r.status != http.StatusOK {
		err = fmt.Errorf("%s answers %d", t.LoadPath(), r.status)
	}
	var l Load
	if err == nil {
		l, err = t.ParseLoad(r.body)
	}
	if err != nil {
		return Load{}, &lifecycle.Error{Op: "engine.Load", Kind: lifecycle.Unavailable, Target: p.model, Err: err}
	}
	return l, nil
}
