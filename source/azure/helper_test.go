package azure_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/url"
	"testing"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/source/azure"
	"github.com/stretchr/testify/require"
)

// hermetic is the driver's Opener with env and nothing of the process's environment.
func hermetic(env lifecycle.EnvVars) source.Opener {
	opener := azure.Opener()
	return func(ctx context.Context, u *url.URL, o *source.OpenOptions) (source.Source, error) {
		o.Getenv = func(key string) string { return env[key] }
		return opener(ctx, u, o)
	}
}

func tryOpen(tb testing.TB, uri string, env lifecycle.EnvVars) (source.Source, error) {
	tb.Helper()
	var mux source.Mux
	for _, scheme := range azure.Schemes {
		mux.Handle(scheme, hermetic(env))
	}
	return mux.Open(tb.Context(), uri)
}

// open opens uri with nothing but env.
func open(tb testing.TB, uri string, env lifecycle.EnvVars) source.Source {
	tb.Helper()
	src, err := tryOpen(tb, uri, env)
	require.NoError(tb, err)
	return src
}

func readAll(tb testing.TB, src source.Source, f source.File) string {
	tb.Helper()
	body, err := src.Open(tb.Context(), f, 0, -1)
	require.NoError(tb, err)
	data, err := io.ReadAll(body)
	require.NoError(tb, err)
	require.NoError(tb, body.Close())
	return string(data)
}

func with(env lifecycle.EnvVars, key, value string) lifecycle.EnvVars {
	c := maps.Clone(env)
	c[key] = value
	return c
}

// dump formats v in every way that a log may.
func dump(v any) string { return fmt.Sprintf("%v %+v %#v %s %q", v, v, v, v, v) }
