package hub_test

import (
	"io"
	"log"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"

	"github.com/spinup-llm/spinup/internal/hubtest"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
)

// A secured hub, whose certificate has to be known, does not send its clients to where
// anybody can read along.
func TestTLS(t *testing.T) {
	t.Parallel()
	h := stocked(t)
	behind, err := url.Parse(h.URL)
	require.NoError(t, err)
	srv := httptest.NewUnstartedServer(httputil.NewSingleHostReverseProxy(behind))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	env := with(h.Env(), "HF_ENDPOINT", srv.URL, "HF_TOKEN", hubtest.Token)

	_, err = open(t, "hf://acme/tiny", env).Resolve(t.Context())
	require.ErrorIs(t, err, lifecycle.Unavailable)
	require.ErrorContains(t, err, "certificate")
	require.ErrorContains(t, err, "let SSL_CERT_FILE name")

	mux := source.Mux{HTTP: srv.Client()}
	mux.Handle("hf", hermetic(env, nil))
	src, err := mux.Open(t.Context(), "hf://acme/tiny")
	require.NoError(t, err)
	require.Equal(t, "{}", mustRead(t, src, listed(t, src, "config.json"), 0, -1))
	_, err = src.Open(t.Context(), listed(t, src, weights), 0, -1)
	require.ErrorIs(t, err, lifecycle.Unavailable)
	require.ErrorContains(t, err, "from https to http")
	require.Zero(t, count(h, true, ""))
}
