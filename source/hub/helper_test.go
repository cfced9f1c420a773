package hub_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/spinup-llm/spinup/internal/hubtest"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/source/hub"
	"github.com/stretchr/testify/require"
)

const id = "acme/tiny"

// everything chooses all files.
var everything = &hub.Options{AllowPatterns: []string{"*"}}

// hermetic is the driver's Opener with env and nothing of the process's environment, nor of the
// home that the system knows.
func hermetic(env lifecycle.EnvVars, o *hub.Options) source.Opener {
	opener := hub.Opener(o)
	return func(ctx context.Context, u *url.URL, open *source.OpenOptions) (source.Source, error) {
		open.Getenv = func(key string) string {
			if value, set := env[key]; set || key != "HOME" {
				return value
			}
			return "/nowhere"
		}
		return opener(ctx, u, open)
	}
}

func tryOpen(tb testing.TB, uri string, env lifecycle.EnvVars, o *hub.Options) (source.Source, error) {
	tb.Helper()
	var mux source.Mux
	mux.Handle("hf", hermetic(env, o))
	return mux.Open(tb.Context(), uri)
}

// open opens uri with nothing but env.
func open(tb testing.TB, uri string, env lifecycle.EnvVars) source.Source {
	tb.Helper()
	return openWith(tb, uri, env, nil)
}

func openWith(tb testing.TB, uri string, env lifecycle.EnvVars, o *hub.Options) source.Source {
	tb.Helper()
	src, err := tryOpen(tb, uri, env, o)
	require.NoError(tb, err)
	return src
}

func with(env lifecycle.EnvVars, pairs ...string) lifecycle.EnvVars {
	env = maps.Clone(env)
	for i := 0; i < len(pairs); i += 2 {
		env[pairs[i]] = pairs[i+1]
	}
	return env
}

func resolve(tb testing.TB, src source.Source) *source.Manifest {
	tb.Helper()
	m, err := src.Resolve(tb.Context())
	require.NoError(tb, err)
	return m
}

// listed resolves src and returns the file at path.
func listed(tb testing.TB, src source.Source, path string) source.File {
	tb.Helper()
	f, ok := resolve(tb, src).File(path)
	require.True(tb, ok, path)
	return f
}

func read(tb testing.TB, src source.Source, f source.File, off, n int64) (string, error) {
	tb.Helper()
	body, err := src.Open(tb.Context(), f, off, n)
	if err != nil {
		return "", err
	}
	defer func() { require.NoError(tb, body.Close()) }()
	data, err := io.ReadAll(body)
	return string(data), err
}

func mustRead(tb testing.TB, src source.Source, f source.File, off, n int64) string {
	tb.Helper()
	data, err := read(tb, src, f, off, n)
	require.NoError(tb, err)
	return data
}

func pathsOf(m *source.Manifest) []string {
	paths := []string{}
	for _, f := range m.Files {
		paths = append(paths, f.Path)
	}
	return paths
}

// text returns n bytes that say where they are.
func text(n int) string {
	b := make([]byte, 0, n+8)
	for len(b) < n {
		b = fmt.Appendf(b, "%07d ", len(b))
	}
	return string(b[:n])
}

// dump formats v in every way that a log may.
func dump(v any) string { return fmt.Sprintf("%v %+v %#v %s %q", v, v, v, v, v) }

// count is how many requests there were to the hub, or the CDN, with a part of a path.
func count(h *hubtest.Hub, cdn bool, path string) int {
	return len(requests(h, cdn, path))
}

func newServer(tb testing.TB, h http.Handler) string {
	tb.Helper()
	srv := httptest.NewServer(h)
	tb.Cleanup(srv.Close)
	return srv.URL
}
