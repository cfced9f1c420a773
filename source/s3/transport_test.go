package s3_test

import (
	"encoding/pem"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/spinup-llm/spinup/internal/s3test"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
)

// AWS_CA_BUNDLE makes a server of one's own trusted, and nothing but HTTP/1.1 is spoken.
func TestTLS(t *testing.T) {
	t.Parallel()
	fake := s3test.NewFake(t)
	fake.Put("models", "llama/a", []byte("data"))
	var mu sync.Mutex
	protocols := map[string]bool{}
	fake.Before = func(_ http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		protocols[r.Proto] = true
		return false
	}
	srv := httptest.NewUnstartedServer(fake)
	srv.EnableHTTP2 = true
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	bundle := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	require.NoError(t, os.WriteFile(bundle, block, 0o600))

	env := maps.Clone(fake.Env())
	env["AWS_ENDPOINT_URL"] = srv.URL
	_, err := open(t, "s3://models/llama", env).Resolve(t.Context())
	require.ErrorIs(t, err, lifecycle.Unavailable)
	require.ErrorContains(t, err, "certificate")
	require.ErrorContains(t, err, "let AWS_CA_BUNDLE name")

	env["AWS_CA_BUNDLE"] = bundle
	src := open(t, "s3://models/llama", env)
	m, err := src.Resolve(t.Context())
	require.NoError(t, err)
	require.Equal(t, "data", readAll(t, src, m.Files[0]))
	mu.Lock()
	defer mu.Unlock()
	require.Equal(t, map[string]bool{"HTTP/1.1": true}, protocols)

	require.NoError(t, os.WriteFile(bundle, []byte("no certificate"), 0o600))
	_, err = tryOpen(t, "s3://models/llama", env)
	require.ErrorIs(t, err, lifecycle.Invalid)
	require.ErrorContains(t, err, "AWS_CA_BUNDLE")
}

// Nobody asks for compression: an object that is stored compressed is fetched as it is.
func TestNoCompression(t *testing.T) {
	t.Parallel()
	fake := s3test.NewFake(t)
	fake.PutObject("models", "llama/a.gz", s3test.Object{Data: []byte("\x1f\x8bnot really"), Headers: map[string]string{"Content-Encoding": "gzip"}})
	src := open(t, "s3://models/llama", fake.Env())
	require.Equal(t, "\x1f\x8bnot really", readAll(t, src, source.File{Path: "a.gz", Size: 12}))
}

// The caller's client is used, and is not changed.
func TestOwnClient(t *testing.T) {
	t.Parallel()
	fake := s3test.NewFake(t)
	fake.Put("models", "llama/a", nil)
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(client.CloseIdleConnections)
	_, err := openWith(t, "s3://models/llama", fake.Env(), client).Resolve(t.Context())
	require.NoError(t, err)
	require.Nil(t, client.CheckRedirect)
}
