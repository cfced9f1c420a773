package spinup_test

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/spinup-llm/spinup"
	"github.com/spinup-llm/spinup/internal/hubtest"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

// onHub puts the quickstart's model on a hub of the test's own.
func onHub(t *testing.T, id string) *hubtest.Hub {
	t.Helper()
	h := hubtest.New(t)
	entries, err := os.ReadDir(tinyModel)
	require.NoError(t, err)
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(tinyModel, e.Name()))
		require.NoError(t, err)
		h.Put(id, e.Name(), b)
	}
	return h
}

// A model without a source is its id at the hub, and a token in env_vars opens what is gated.
func TestFromTheHub(t *testing.T) {
	t.Parallel()
	h := onHub(t, "org/tiny")
	h.Restrict("org/tiny", hubtest.Access{Gated: true})
	o := quiet()
	o.Cache = cache(t)
	cfg := tiny()
	cfg.ModelLoadingConfig = spinup.ModelLoadingConfig{ModelID: "org/tiny"}
	cfg.RuntimeEnv.EnvVars = h.Env()
	d := begin(t, o, cfg)
	err := d.Ready(t.Context())
	require.ErrorIs(t, err, lifecycle.Gated)
	require.ErrorContains(t, err, "HF_TOKEN")

	cfg.RuntimeEnv.EnvVars["HF_TOKEN"] = hubtest.Token
	d = begin(t, o, cfg)
	require.NoError(t, d.Ready(t.Context()))
	code, body := chat(t, d.Handler(), "", "org/tiny")
	require.Equal(t, http.StatusOK, code, body)
}
