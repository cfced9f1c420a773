package azure_test

import (
	"net/http"
	"testing"

	"github.com/spinup-llm/spinup/internal/srctest"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
)

// openWith opens uri with nothing but env and the client.
func openWith(tb testing.TB, uri string, env lifecycle.EnvVars, client *http.Client) source.Source {
	tb.Helper()
	mux := source.Mux{HTTP: client}
	mux.Handle("az", hermetic(env))
	src, err := mux.Open(tb.Context(), uri)
	require.NoError(tb, err)
	return src
}

func isRead(r *http.Request) bool { return r.Method == http.MethodGet && !isList(r) }

// Whichever request a service is too busy for, the model comes after the pause that is asked for.
func TestBusy(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.put(t, "models", "llama/a.bin", []byte("0123456789"))
	for name, c := range map[string]struct {
		uri  string
		busy func(*http.Request) bool
	}{
		"list":       {"az://models/llama", isList},
		"properties": {"az://models/llama/a.bin", func(r *http.Request) bool { return r.Method == http.MethodHead }},
		"bytes":      {"az://models/llama", isRead},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srctest.Busy(t, srctest.Case{Server: f, Is: c.busy, Open: func(tb testing.TB, client *http.Client) source.Source {
				tb.Helper()
				return openWith(tb, c.uri, f.Env(), client)
			}})
		})
	}
}

// What is compressed on its way, which nobody asked for, never passes as the bytes.
func TestPacked(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.put(t, "models", "llama/a.bin", []byte("0123456789"))
	srctest.Packed(t, srctest.Case{Server: f, Is: isRead, Open: func(tb testing.TB, client *http.Client) source.Source {
		tb.Helper()
		return openWith(tb, "az://models/llama", f.Env(), client)
	}})
}
