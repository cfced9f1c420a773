package replica

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/spinup-llm/spinup/lifecycle"
)

// find returns what a name leads to: that of a model, an alias, or either of them with the
// name of an adapter behind a colon.
func (g *Gateway) find(name string) (route, bool) {
	if to, ok := g.routes[name]; ok {
		return to, true
	}
	colon := strings.LastIndexByte(name, ':')
	if colon < 0 || colon == len(name)-1 {
		return route{}, false
	}
	to, ok := g.routes[name[:colon]]
	if !ok || to.adapter != "" || !to.router.set.hasAdapters() {
		return route{}, false
	}
	return to.with(name[colon+1:]), true
}

// with is the way to an adapter of the model that to leads to.
func (to route) with(adapter string) route {
	if to.adapter = adapter; adapter != "" {
		to.id = to.model + ":" + adapter
	}
	return to
}

func (s *Set) hasAdapters() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current.opts.Adapters != nil
}

// lookUp returns nil when there is an adapter of this name.
func (s *Set) lookUp(ctx context.Context, name string) error {
	s.mu.Lock()
	o := s.current.opts.Adapters
	s.mu.Unlock()
	if o == nil {
		return errNoAdapters
	}
	return o.Find(ctx, name)
}

type adapterInContext struct{}

// naming returns r with the adapter that it names.
func naming(r *http.Request, adapter string) *http.Request {
	if adapter == "" {
		return r
	}
	return r.WithContext(context.WithValue(r.Context(), adapterInContext{}, adapter))
}

// adapterOf returns the adapter that r names, or "".
func adapterOf(r *http.Request) string {
	name, _ := r.Context().Value(adapterInContext{}).(string)
	return name
}

// refuseAdapter says why there is no answer with an adapter. What is wrong with its files is
// told, as who asks for it is who made it; of all else only what can be done.
func refuseAdapter(w http.ResponseWriter, name string, err error) {
	e, ok := errors.AsType[*lifecycle.Error](err)
	if !ok {
		e = &lifecycle.Error{Err: err}
	}
	brief := &lifecycle.Error{Op: "adapter", Target: name[:min(len(name), longestShown)], Kind: e.Kind, Hint: e.Hint}
	switch e.Kind {
	case lifecycle.NotFound:
		badRequest(w, http.StatusNotFound, "model_not_found", brief.Error())
	case lifecycle.Invalid, lifecycle.MissingFile, lifecycle.Corrupt:
		brief.Err = e.Err
		badRequest(w, http.StatusBadRequest, "invalid_adapter", brief.Error())
	case lifecycle.Throttled, lifecycle.Unavailable, lifecycle.Timeout:
		w.Header().Set("Retry-After", "1")
		writeError(w, http.StatusServiceUnavailable, apiError{Type: "server_error", Code: "adapter_unavailable", Message: brief.Error()})
	default:
		brief.Hint = "ask who runs this service" // the source's own hint tells of buckets and credentials
		writeError(w, http.StatusBadGateway, apiError{Type: "server_error", Code: "adapter_error", Message: brief.Error()})
	}
}
