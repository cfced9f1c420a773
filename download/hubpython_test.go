package download_test

import (
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spinup-llm/spinup/download"
	"github.com/spinup-llm/spinup/internal/hubtest"
	"github.com/spinup-llm/spinup/internal/testenv"
	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/source/hub"
	"github.com/stretchr/testify/require"
)

// Python's tools have the small files of a model while we bring the large ones.
func TestPythonHasWhatIsThere(t *testing.T) {
	t.Parallel()
	python := testenv.Python(t)
	h, proceed := hubtest.New(t), make(chan struct{})
	h.Put("acme/tiny", "model.safetensors", random(1, 5*mib))
	sha := h.Put("acme/tiny", "config.json", []byte("{}"))
	h.Break(hubtest.Fault{CDN: true, Times: 1, Do: func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		select {
		case <-proceed:
		case <-r.Context().Done():
		}
		next.ServeHTTP(w, r)
	}})
	at, err := url.Parse("hf://acme/tiny")
	require.NoError(t, err)
	client := &http.Client{Transport: new(http.Transport)}
	defer client.CloseIdleConnections()
	src, err := hub.Opener(nil)(t.Context(), at, &source.OpenOptions{HTTP: client, Getenv: func(key string) string { return h.Env()[key] }})
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() {
		lease, acquireErr := new(download.Cache).Acquire(t.Context(), nil, src, nil, nil, nil)
		if acquireErr == nil {
			acquireErr = lease.Close()
		}
		ended <- acquireErr
	}()
	dir := filepath.Join(h.Env()["HF_HOME"], "hub", "models--acme--tiny")
	require.Eventually(t, func() bool {
		found, _ := filepath.Glob(filepath.Join(dir, "blobs", digest("git-sha1", []byte("{}")).Hex))
		return len(found) == 1
	}, 20*time.Second, 10*time.Millisecond)

	cmd := exec.CommandContext(t.Context(), python, "-c", `
from huggingface_hub import hf_hub_download
print(hf_hub_download("acme/tiny", "config.json"))`)
	cmd.Env = append(append(os.Environ(), "HF_HUB_DISABLE_XET=1", "HF_HUB_DISABLE_TELEMETRY=1"), h.Env().Environ()...)
	out, err := cmd.Output()
	require.NoError(t, err)
	require.Equal(t, filepath.Join(dir, "snapshots", sha, "config.json"), strings.TrimSpace(string(out)))
	select {
	case err = <-ended:
		require.Fail(t, "the large file was to be on its way", "%v", err)
	default:
	}
	close(proceed)
	require.NoError(t, <-ended)
}
