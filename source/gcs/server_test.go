package gcs_test

import (
	"net/http/httptest"
	"testing"

	"github.com/spinup-llm/spinup/internal/gcstest"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

// What goes wrong with a server of others has the kind and the hint that it has with the fake.
func TestServerErrors(t *testing.T) {
	t.Parallel()
	srv := gcstest.Start(t)
	srv.Put(t, "models", "llama/config.json", []byte("{}"))
	srv.Put(t, "models", "llama-13b/config.json", []byte("{}"))
	for uri, want := range map[string]string{
		"gs://model/llama":             `did you mean "models"?`,
		"gs://models/lama":             `in gs://models did you mean "llama"?`,
		"gs://models/llam":             `did you mean "llama" or "llama-13b"?`,
		"gs://models/llama/confg.json": `in gs://models/llama did you mean "config.json"?`,
	} {
		_, err := open(t, uri, srv.Env()).Resolve(t.Context())
		require.ErrorIs(t, err, lifecycle.NotFound, uri)
		require.ErrorContains(t, err, want)
	}
	src := open(t, "gs://anonymous@models/llama/config.json", srv.Env())
	m, err := src.Resolve(t.Context())
	require.NoError(t, err)
	require.Equal(t, "gs://models/llama/config.json", m.URI)
	require.Equal(t, "{}", readAll(t, src, m.Files[0]))
}

// An emulator may have a certificate.
func TestServerWithTLS(t *testing.T) {
	t.Parallel()
	fake := gcstest.NewFake(t)
	fake.Put("models", "llama/config.json", []byte("{}"))
	srv := httptest.NewTLSServer(fake)
	t.Cleanup(srv.Close)
	src := openWith(t, "gs://models/llama", lifecycle.EnvVars{"STORAGE_EMULATOR_HOST": srv.URL}, srv.Client())
	m, err := src.Resolve(t.Context())
	require.NoError(t, err)
	require.Equal(t, "{}", readAll(t, src, m.Files[0]))
}
