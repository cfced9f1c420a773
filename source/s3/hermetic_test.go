package s3_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/source/s3"
	"github.com/stretchr/testify/require"
)

// hermetic is the driver's Opener with env and nothing of the process's environment.
func hermetic(env lifecycle.EnvVars) source.Opener {
	opener := s3.Opener(nil)
	return func(ctx context.Context, u *url.URL, o *source.OpenOptions) (source.Source, error) {
		o.Getenv = func(key string) string { return env[key] }
		return opener(ctx, u, o)
	}
}

// dump formats v in every way that a log may.
func dump(v any) string { return fmt.Sprintf("%v %+v %#v %s %q", v, v, v, v, v) }

// openWith opens uri with nothing but env and the client.
func openWith(tb testing.TB, uri string, env lifecycle.EnvVars, client *http.Client) source.Source {
	tb.Helper()
	mux := source.Mux{HTTP: client}
	mux.Handle("s3", hermetic(env))
	src, err := mux.Open(tb.Context(), uri)
	require.NoError(tb, err)
	return src
}

func newMux(o source.Opener) *source.Mux {
	var mux source.Mux
	mux.Handle("s3", o)
	return &mux
}
