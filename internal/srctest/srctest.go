// Package srctest has a driver download a model from a server that answers one kind of request
// oddly: it is too busy for it ([Busy]), or compresses what it sends ([Packed]).
//
//	srctest.Busy(t, srctest.Case{
//		Server: fake,
//		Is:     func(r *http.Request) bool { return r.Method == http.MethodHead },
//		Open:   func(tb testing.TB, c *http.Client) source.Source { return openWith(tb, uri, env, c) },
//	})
package srctest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
)

// A Case is a model, and a kind of request that it takes.
type Case struct {
	// Server answers, without a network: time stands still while it does.
	Server http.Handler
	// Is reports whether a request is of the kind that is answered oddly.
	Is func(r *http.Request) bool
	// Open opens the model with nothing but the client.
	Open func(tb testing.TB, client *http.Client) source.Source
	// Fetch downloads it into a folder, with nothing that another call has; nil means [Fetch], for
	// modules without package download.
	Fetch func(ctx context.Context, src source.Source, dir string) (*source.Manifest, error)
}

func (c Case) fetch(ctx context.Context, src source.Source, dir string) (*source.Manifest, error) {
	if c.Fetch == nil {
		return Fetch(ctx, src, dir)
	}
	return c.Fetch(ctx, src, dir)
}

// client asks a server that is no network away.
func client(server http.Handler) *http.Client { return &http.Client{Transport: near{server}} }

type near struct{ http.Handler }

// RoundTrip implements http.RoundTripper.
func (n near) RoundTrip(r *http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	n.ServeHTTP(rec, r)
	res := rec.Result()
	res.Request = r
	if r.Method == http.MethodHead {
		res.Body = http.NoBody
	}
	return res, nil
}

// requireFiles fails unless dir has all files, with their digests.
func requireFiles(t *testing.T, man *source.Manifest, dir string) {
	t.Helper()
	require.NotEmpty(t, man.Files)
	for _, f := range man.Files {
		data, err := os.ReadFile(filepath.Join(dir, f.Path)) //nolint:gosec // a file of the test
		require.NoError(t, err)
		require.Len(t, data, int(f.Size))
		if f.Digest.Known() {
			h := f.Digest.NewHash(f.Size)
			_, _ = h.Write(data)
			require.True(t, f.Digest.Equal(h.Sum(nil)), f.Path)
		}
	}
}
