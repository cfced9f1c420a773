package examples_test

import (
	"bytes"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spinup-llm/spinup/internal/hubtest"
	"github.com/spinup-llm/spinup/internal/testenv"
	"github.com/stretchr/testify/require"
)

// Python's tools take what the program has downloaded for their own.
func TestPythonTakesWhatDownloadLeaves(t *testing.T) {
	t.Parallel()
	python := testenv.Python(t)
	h, snapshot := tinyHub(t)
	require.Equal(t, snapshot, onHub(t, h, filepath.Join(bin, "download"), "acme/tiny"))
	found := onHub(t, h, python, "-c", `
from huggingface_hub import snapshot_download
print(snapshot_download("acme/tiny", local_files_only=True))`)
	require.Equal(t, snapshot, found)
	onHub(t, h, filepath.Join(filepath.Dir(python), "hf"), "cache", "verify", "acme/tiny", "--fail-on-missing-files", "--fail-on-extra-files")
}

// What Python's tools have downloaded the program finds, and fetches no file again.
func TestDownloadTakesWhatPythonLeaves(t *testing.T) {
	t.Parallel()
	python := testenv.Python(t)
	h, snapshot := tinyHub(t)
	onHub(t, h, python, "-c", `
from huggingface_hub import snapshot_download
snapshot_download("acme/tiny")`)
	before := len(h.Requests())
	require.Equal(t, snapshot, onHub(t, h, filepath.Join(bin, "download"), "acme/tiny"))
	for _, r := range h.Requests()[before:] {
		body := r.CDN || r.Method == http.MethodGet && !strings.HasPrefix(r.Path, "/api/models/")
		require.False(t, body, "%s %s", r.Method, r.Path)
	}
}

// tinyHub has a model with a file of each kind, and an empty cache; snapshot is where the model belongs there.
func tinyHub(t *testing.T) (h *hubtest.Hub, snapshot string) {
	t.Helper()
	h = hubtest.New(t)
	h.Put("acme/tiny", "config.json", []byte("{}"))
	h.Put("acme/tiny", "empty/.keep", nil)
	sha := h.Put("acme/tiny", "model.safetensors", bytes.Repeat([]byte("weights "), 5<<17)) // in several ranges
	return h, filepath.Join(h.Env()["HF_HOME"], "hub", "models--acme--tiny", "snapshots", sha)
}

// onHub runs a program with the hub and returns all that it prints, without the end of the last line.
func onHub(t *testing.T, h *hubtest.Hub, program string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir = t.TempDir() // where the id is no path
	cmd.Env = append(append(os.Environ(), "HF_HUB_DISABLE_XET=1", "HF_HUB_DISABLE_TELEMETRY=1"), h.Env().Environ()...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	return strings.TrimSuffix(string(out), "\n")
}
