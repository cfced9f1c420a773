package gcs_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"testing"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/source/gcs"
	"github.com/stretchr/testify/require"
)

// hermetic is the driver's Opener with env and nothing of the process's environment.
func hermetic(env lifecycle.EnvVars, opts *gcs.Options) source.Opener {
	opener := gcs.Opener(opts)
	return func(ctx context.Context, u *url.URL, o *source.OpenOptions) (source.Source, error) {
		o.Getenv = func(key string) string { return env[key] }
		return opener(ctx, u, o)
	}
}

// dump formats v in every way that a log may.
func dump(v any) string { return fmt.Sprintf("%v %+v %#v %s %q", v, v, v, v, v) }

// open opens uri with nothing but env.
func open(tb testing.TB, uri string, env lifecycle.EnvVars) source.Source {
	tb.Helper()
	return openWith(tb, uri, env, nil)
}

// openWith opens uri with nothing but env and the client.
func openWith(tb testing.TB, uri string, env lifecycle.EnvVars, client *http.Client) source.Source {
	tb.Helper()
	mux := source.Mux{HTTP: client}
	mux.Handle("gs", hermetic(env, nil))
	src, err := mux.Open(tb.Context(), uri)
	require.NoError(tb, err)
	return src
}

func tryOpen(tb testing.TB, uri string, env lifecycle.EnvVars) (source.Source, error) {
	tb.Helper()
	var mux source.Mux
	mux.Handle("gs", hermetic(env, nil))
	return mux.Open(tb.Context(), uri)
}

// resolve lists gs://models/llama.
func resolve(tb testing.TB, env lifecycle.EnvVars) *source.Manifest {
	tb.Helper()
	m, err := open(tb, "gs://models/llama", env).Resolve(tb.Context())
	require.NoError(tb, err)
	return m
}

func readAll(tb testing.TB, src source.Source, f source.File) string {
	tb.Helper()
	body, err := src.Open(tb.Context(), f, 0, -1)
	require.NoError(tb, err)
	defer func() { require.NoError(tb, body.Close()) }()
	data, err := io.ReadAll(body)
	require.NoError(tb, err)
	return string(data)
}
