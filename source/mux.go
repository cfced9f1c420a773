package source

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"os"

	"github.com/spinup-llm/spinup/lifecycle"
)

// OpenOptions carry what a driver may use beside the URI; nil means the process's own.
type OpenOptions struct {
	// Getenv looks credentials and endpoints up: first the LLMConfig's
	// runtime_env.env_vars, then the application's, then the process's.
	Getenv func(key string) string
	HTTP   *http.Client // nil means one of the driver's own
	Logger *slog.Logger // nil means none
	// Choose returns those of all files that are wanted, in place of the choice that a
	// driver makes by itself; nil leaves it to the driver. A driver that lists all files
	// leaves the choice to its caller anyhow.
	Choose func(all *Manifest) (*Manifest, error)
	// Format is that of the weights which an engine was told to read, in vLLM's words: "mistral", "pt",
	// "npcache"; "" leaves it to the driver.
	Format string
	_      struct{}
}

// Env returns the value of key as Getenv gives it. It may be called on nil.
func (o *OpenOptions) Env(key string) string {
	if o == nil || o.Getenv == nil {
		return os.Getenv(key)
	}
	return o.Getenv(key)
}

// An Opener makes a Source of a URI. Drivers export one: s3.Opener(nil). It checks the
// form of the URI and does not use the network: that is for Resolve.
type Opener func(ctx context.Context, u *url.URL, o *OpenOptions) (Source, error)

// A Mux opens URIs by scheme. Its zero value knows no scheme; the root package makes one
// with local directories, programs add s3 and their own. Once the last Handle has
// returned, it is safe for concurrent use.
type Mux struct {
	HTTP   *http.Client // given to every driver; nil means one of the driver's own
	Logger *slog.Logger // given to every driver; nil means none
	// Choose and Format are given to every driver; without them it chooses files itself. See OpenOptions.
	Choose func(all *Manifest) (*Manifest, error)
	Format string

	openers map[string]Opener
	getenv  func(string) string // a closure, so that no %+v shows an environment
}

// Handle registers an opener. It panics when the scheme is taken or the opener is nil.
func (m *Mux) Handle(scheme string, o Opener) {
	if o == nil {
		panic("source: nil opener for scheme " + scheme)
	}
	if _, taken := m.openers[scheme]; taken {
		panic("source: scheme " + scheme + " is registered already")
	}
	if m.openers == nil {
		m.openers = map[string]Opener{}
	}
	m.openers[scheme] = o
}

// WithEnv returns a copy of m that gives env to every driver before what m gives: of
// several WithEnv the last one wins, and the process's environment comes after all. A key
// that is present with an empty value hides the ones behind it.
func (m *Mux) WithEnv(env lifecycle.EnvVars) *Mux {
	c, next := *m, m.lookup()
	env, c.openers = maps.Clone(env), maps.Clone(m.openers)
	c.getenv = func(key string) string {
		if v, ok := env[key]; ok {
			return v
		}
		return next(key)
	}
	return &c
}

// Open parses uri and dispatches by scheme. What exists here as a path is opened as one
// (scheme "file"); else a bare "org/name" or "org/name@revision" means hf://org/name, and
// everything else without a scheme is a path. A bucket's URI is read literally, without
// percent-decoding, as the tools of buckets do. An unknown scheme is Invalid, and the hint
// names the import to add.
func (m *Mux) Open(ctx context.Context, uri string) (Source, error) {
	u, err := parse(uri)
	if err != nil {
		return nil, err
	}
	open, ok := m.openers[u.Scheme]
	if !ok {
		return nil, m.unknown(u.Scheme, uri)
	}
	return open(ctx, u, &OpenOptions{Getenv: m.lookup(), HTTP: m.HTTP, Logger: m.Logger, Choose: m.Choose, Format: m.Format})
}

func (m *Mux) lookup() func(string) string {
	if m.getenv == nil {
		return os.Getenv
	}
	return m.getenv
}
