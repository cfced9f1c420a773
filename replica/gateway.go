package replica

import (
	"net/http"
	"time"

	"golang.org/x/sync/semaphore"
)

// GatewayOptions say who may use a Gateway and how. The zero value is open to everybody who
// can reach it. No number may be negative: spinup.New refuses it.
type GatewayOptions struct {
	Keys        Keys          // one of them is asked for; none: no key is needed
	Origins     []string      // of web pages that may call, as "https://chat.example", or "*"; none: no CORS
	MaxBody     int64         // bytes of a request; 0 means 32 MiB, which holds a prompt of millions of tokens
	Bodies      int64         // bytes of requests above 64 KiB that are held until their answers begin, those of unknown length as MaxBody; more wait; 0 means 512 MiB, MaxBody at least
	BodyWithin  time.Duration // a request's body has to arrive; 0 means 1m
	WriteWithin time.Duration // a client has to take what it is sent next; 0 means 1m
	_           struct{}
}

func (o *GatewayOptions) withDefaults() GatewayOptions {
	var c GatewayOptions
	if o != nil {
		c = *o
	}
	if c.MaxBody <= 0 {
		c.MaxBody = 32 << 20
	}
	if c.Bodies <= 0 {
		c.Bodies = 512 << 20
	}
	c.Bodies = max(c.Bodies, c.MaxBody)
	if c.BodyWithin <= 0 {
		c.BodyWithin = time.Minute
	}
	if c.WriteWithin <= 0 {
		c.WriteWithin = time.Minute
	}
	return c
}

// Gateway is the door: the OpenAI API for several models, chosen by the model field of the
// request. It answers GET /v1/models itself and passes what names a model to the engines,
// byte for byte: chat, completions, embeddings, responses, rerank, score, audio, tokenize and
// more; an engine that lacks one says so. Each request has an id, the client's X-Request-Id
// or a new one, which is in its answer, in errors and logs, and known to the engine.
//
// "MODEL:ADAPTER" is the model with one of the set's Adapters.
type Gateway struct {
	opts   GatewayOptions
	models []Model
	routes map[string]route // by id and alias
	mux    *http.ServeMux
	bodies *semaphore.Weighted // bytes
}

// A route is what a name of a model leads to.
type route struct {
	id      string // what the engine calls it
	model   string // id of the model
	adapter string // of the model, or ""
	router  *Router
}

// endpoints are the paths whose requests name a model: OpenAI's, and beyond them vLLM's.
var endpoints = []string{
	"/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses", "/v1/messages",
	"/v1/rerank", "/v2/rerank", "/rerank", "/v1/score", "/score", "/pooling", "/classify",
	"/v1/audio/speech", "/v1/audio/transcriptions", "/v1/audio/translations",
	"/tokenize", "/detokenize",
}

// NewGateway returns a gateway for models, whose ids and aliases differ. o may be nil.
func NewGateway(o *GatewayOptions, models ...Model) *Gateway {
	g := &Gateway{opts: o.withDefaults(), models: models, routes: map[string]route{}, mux: http.NewServeMux()}
	g.bodies = semaphore.NewWeighted(g.opts.Bodies)
	for _, m := range models {
		to := route{id: m.ID, model: m.ID, router: NewRouter(m.Set)}
		g.routes[m.ID] = to
		for alias, adapter := range m.Aliases {
			g.routes[alias] = to.with(adapter)
		}
	}
	g.mux.HandleFunc("GET /v1/models", g.list)
	g.mux.HandleFunc("GET /v1/models/{id...}", g.describe)
	g.mux.HandleFunc("/v1/models", want(http.MethodGet))
	g.mux.HandleFunc("/v1/models/{id...}", want(http.MethodGet))
	for _, path := range endpoints {
		g.mux.HandleFunc("POST "+path, g.route)
		g.mux.HandleFunc(path, want(http.MethodPost))
	}
	g.mux.HandleFunc("/", unknownPath)
	return g
}

// ServeHTTP implements http.Handler.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	out := newClientWriter(w, g.opts.WriteWithin)
	defer out.last()
	r = withID(out, r)
	if g.cors(out, r) {
		return
	}
	if r = g.opts.Keys.admit(out, r); r != nil {
		g.mux.ServeHTTP(out, r)
	}
}

// route reads the whole request, so that it can be tried again, and sends it to its model.
func (g *Gateway) route(w http.ResponseWriter, r *http.Request) {
	b := &body{budget: g.bodies}
	defer b.letGo()
	if bad := g.read(w, r, b); bad != nil {
		bad.write(w)
		return
	}
	kind := r.Header.Get("Content-Type")
	name, bad := modelField(kind, b.data)
	if bad != nil {
		bad.message += g.known(r)
		bad.write(w)
		return
	}
	to, ok := g.find(name)
	if !ok || !keyOf(r).allows(to.model) {
		g.unknownModel(w, r, name)
		return
	}
	if name != to.id {
		b.set(rename(kind, b.data, to.id))
	}
	r.ContentLength, r.GetBody = int64(len(b.data)), b.open
	r.Body, _ = b.open() // it is held
	to.router.ServeHTTP(w, naming(r, to.adapter))
}

// want answers where another method would have been right.
func want(method string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", method)
		badRequest(w, http.StatusMethodNotAllowed, "method_not_allowed", "use "+method+" for "+r.URL.Path)
	}
}

func unknownPath(w http.ResponseWriter, r *http.Request) {
	badRequest(w, http.StatusNotFound, "unknown_path", "no "+r.Method+" "+r.URL.Path+" here; see /v1/models")
}
