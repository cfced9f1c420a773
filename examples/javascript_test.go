package examples_test

import (
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spinup-llm/spinup/internal/randmodel"
	"github.com/spinup-llm/spinup/internal/s3test"
	"github.com/spinup-llm/spinup/internal/testenv"
	"github.com/stretchr/testify/require"
)

// TestStoriesWithJavaScript has the official JavaScript client.
func TestStoriesWithJavaScript(t *testing.T) {
	t.Parallel()
	modules := testenv.JavaScript(t)
	testscript.Run(t, params(t, "testdata/javascript", map[string]string{
		"NODE_PATH": modules, "CHAT": filepath.Join(testenv.Root(t), "examples/testdata/chat.cjs"),
	}))
}

// TestOfficialClientsWithVLLM has the clients, adapters and embeddings on real vLLM.
func TestOfficialClientsWithVLLM(t *testing.T) {
	t.Parallel()
	vllm, python, modules, server := testenv.VLLM(t), testenv.Python(t), testenv.JavaScript(t), s3test.Start(t)
	model, shelf := t.TempDir(), t.TempDir()
	require.NoError(t, randmodel.Write(model, randmodel.Options{}))
	for i, name := range []string{"a", "b"} {
		require.NoError(t, randmodel.WriteAdapter(filepath.Join(shelf, name), randmodel.AdapterOptions{Seed: uint64(i)}))
	}
	server.Upload(t, "private", "llama", model)
	server.Upload(t, "private", "adapters", shelf)
	testscript.Run(t, params(t, "testdata/clients", map[string]string{
		"PYTHON": python, "NODE_PATH": modules, "SPINUP_VLLM": vllm,
		"S3": server.Endpoint, "S3_KEY": server.AccessKey, "S3_SECRET": server.SecretKey,
	}))
}
