package web_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/spinup-llm/spinup/download"
	"github.com/spinup-llm/spinup/internal/srctest"
	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/source/web"
	"github.com/stretchr/testify/require"
)

// openWith opens uri with nothing but the client.
func openWith(tb testing.TB, uri string, client *http.Client) source.Source {
	tb.Helper()
	mux := source.Mux{HTTP: client}
	mux.Handle("http", web.Opener(nil))
	src, err := mux.Open(tb.Context(), uri)
	require.NoError(tb, err)
	return src
}

// asks reports whether a request is of a method, and has an end of its path.
func asks(method, end string) func(*http.Request) bool {
	return func(r *http.Request) bool { return r.Method == method && strings.HasSuffix(r.URL.Path, end) }
}

// fetch downloads with a manager of its own.
func fetch(ctx context.Context, src source.Source, dir string) (*source.Manifest, error) {
	return new(download.Manager).Fetch(ctx, src, dir)
}

// Whichever request a server is too busy for, the model comes after the pause that is asked for.
func TestBusy(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.put(t, "llama/a.bin", []byte("0123456789"))
	for name, c := range map[string]struct {
		uri  string
		busy func(*http.Request) bool
	}{
		"list of digests": {"/llama/", asks(http.MethodGet, "/SHA256SUMS")},
		"index":           {"/llama/", asks(http.MethodGet, "/llama/")},
		"head":            {"/llama/", asks(http.MethodHead, "/a.bin")},
		"head of a file":  {"/llama/a.bin", asks(http.MethodHead, "/a.bin")},
		"bytes":           {"/llama/", asks(http.MethodGet, "/a.bin")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srctest.Busy(t, srctest.Case{Server: f, Is: c.busy, Fetch: fetch, Open: func(tb testing.TB, client *http.Client) source.Source {
				tb.Helper()
				return openWith(tb, f.url+c.uri, client)
			}})
		})
	}
}

// What is compressed on its way, which nobody asked for, never passes as the bytes.
func TestPacked(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.put(t, "llama/a.bin", []byte("0123456789"))
	srctest.Packed(t, srctest.Case{Server: f, Is: asks(http.MethodGet, "/a.bin"), Fetch: fetch, Open: func(tb testing.TB, client *http.Client) source.Source {
		tb.Helper()
		return openWith(tb, f.url+"/llama/", client)
	}})
}
