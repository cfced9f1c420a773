package engine_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/url"
	"testing"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/internal/fakeengine"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

const canary = "hf_canary9c1f"

// Folders explain errors. A value that the driver replaces is one more, not one less.
func TestFoldersStayInErrors(t *testing.T) {
	t.Parallel()
	env := lifecycle.EnvVars{"HF_HOME": "/srv/models/hf", "CUDA_PATH": "/usr/local/cuda", "STORE_KEY": "a-canary\nof-two-lines"}
	said := "no such file: /srv/models/hf/x, /usr/local/cuda/lib, a-canary, of-two-lines, " + canary
	require.Equal(t, "no such file: /srv/models/hf/x, /usr/local/cuda/lib, [redacted], [redacted], [redacted]",
		engine.SecretsOf(lifecycle.EnvVars{"STORE_KEY": canary}, env).Redact(said))

	spec := fakeengine.Spec(t, "leak", "crash")
	spec.Env = env
	p := start(t, spec, nil)
	require.ErrorContains(t, p.Ready(t.Context()), "HF_HOME=/srv/models/hf")
}

func TestNoSecretLeaves(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"crash", "fatal", ""} {
		var log bytes.Buffer
		logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		spec := fakeengine.Spec(t, "leak", mode)
		spec.Env = lifecycle.EnvVars{"HF_TOKEN": canary, "KEY": "-----BEGIN\nof-key-line1\nof-key-line2"}
		spec.Weights = &url.URL{Scheme: "s3", Host: "b", User: url.UserPassword("k", canary), RawQuery: "sig=" + canary}
		spec.Kwargs["hf_token"] = canary
		p := start(t, spec, &engine.Options{Logger: logger})
		var seen bytes.Buffer
		fmt.Fprintln(&seen, p.Ready(t.Context()))
		require.NoError(t, p.Stop(t.Context()))
		for e := range p.Events(t.Context()) {
			fmt.Fprintf(&seen, "%+v %v\n", e, e.Err)
		}
		fmt.Fprintf(&seen, "%v %+v %#v %v %+v %+v", p, p, p, p.Err(), spec, &spec)
		require.NotContains(t, seen.String(), canary, mode)
		require.Contains(t, log.String(), "HF_TOKEN=[redacted]", mode)
		require.NotContains(t, log.String(), canary, mode)
		require.NotContains(t, seen.String()+log.String(), "of-key-line", mode)
	}
}
