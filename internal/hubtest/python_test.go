package hubtest_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spinup-llm/spinup/internal/hubtest"
	"github.com/spinup-llm/spinup/internal/testenv"
	"github.com/stretchr/testify/require"
)

// python runs a script with the settings of h and returns what it prints.
func python(t *testing.T, h *hubtest.Hub, script string, env ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), testenv.Python(t), "-c", script)
	cmd.Env = append(os.Environ(), "HF_HUB_DISABLE_XET=1", "HF_HUB_DISABLE_PROGRESS_BARS=1", "HF_HUB_DISABLE_TELEMETRY=1")
	for key, value := range h.Env() {
		cmd.Env = append(cmd.Env, key+"="+value)
	}
	cmd.Env = append(cmd.Env, env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	return strings.TrimSpace(string(out))
}

// The client of the hub downloads from this one: what it checks is as it is there.
func TestPythonDownloads(t *testing.T) {
	t.Parallel()
	testenv.Real(t, "Python packages")
	h := hubtest.New(t)
	h.PageSize = 2
	files := map[string]string{
		"config.json": strings.Repeat("{ }", 1000), "empty": "", "a b/ünï #%.txt": "x", "model.safetensors": strings.Repeat("weights", 100_000), "d/e/f": "y",
	}
	sha := ""
	for path, data := range files {
		sha = h.Put("acme/tiny", path, []byte(data))
	}
	h.Branch("acme/tiny", "refs/pr/1")
	for _, revision := range []string{"main", "refs/pr/1", sha} {
		dir := python(t, h, `
import sys
from huggingface_hub import snapshot_download
print(snapshot_download("acme/tiny", revision="`+revision+`"))`)
		require.Equal(t, sha, filepath.Base(dir))
		for path, data := range files {
			got, err := os.ReadFile(filepath.Join(dir, path))
			require.NoError(t, err)
			require.Equal(t, data, string(got), path)
		}
	}
	for _, r := range h.Requests() {
		require.Empty(t, r.Token)
	}
}

// What is refused is the same error to the client that it is at the hub.
func TestPythonErrors(t *testing.T) {
	t.Parallel()
	testenv.Real(t, "Python packages")
	h := hubtest.New(t)
	for id, access := range map[string]hubtest.Access{
		"acme/tiny": {}, "acme/gated": {Gated: true}, "acme/private": {Private: true}, "acme/disabled": {Disabled: true},
	} {
		h.Put(id, "config.json", []byte("{}"))
		h.Restrict(id, access)
	}
	h.Rename("acme/tiny", "newco/small")
	script := `
from huggingface_hub import HfApi, hf_hub_download
def kind(f, *args, **kwargs):
    try:
        f(*args, **kwargs)
        return "ok"
    except Exception as e:
        return type(e).__name__
api = HfApi()
print(kind(hf_hub_download, "acme/tiny", "config.json"), kind(hf_hub_download, "acme/tiny", "no"), kind(hf_hub_download, "acme/tiny", "config.json", revision="v9"),
  kind(hf_hub_download, "acme/gated", "config.json"), kind(api.model_info, "acme/private"), kind(api.model_info, "acme/none"), kind(api.model_info, "acme/disabled"),
  kind(api.list_repo_refs, "acme/tiny"), len(list(api.list_models(author="newco"))))`
	const common = "ok RemoteEntryNotFoundError RevisionNotFoundError "
	require.Equal(t, common+"GatedRepoError RepositoryNotFoundError RepositoryNotFoundError DisabledRepoError ok 1", python(t, h, script))
	require.Equal(t, common+"GatedRepoError RepositoryNotFoundError RepositoryNotFoundError DisabledRepoError ok 1",
		python(t, h, script, "HF_TOKEN="+hubtest.Stranger, "HF_HOME="+t.TempDir()))
	require.Equal(t, common+"ok ok RepositoryNotFoundError DisabledRepoError ok 1",
		python(t, h, script, "HF_TOKEN="+hubtest.Token, "HF_HOME="+t.TempDir()))
	require.Contains(t, python(t, h, script, "HF_TOKEN=hf_wrong", "HF_HOME="+t.TempDir()), "HfHubHTTPError")
}
