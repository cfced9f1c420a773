package llamacpp_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/engine/llamacpp"
	"github.com/spinup-llm/spinup/internal/tinygguf"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// installation is an engine whose program is there, and cannot run.
func installation(t *testing.T) llamacpp.Engine {
	t.Helper()
	program := filepath.Join(t.TempDir(), "llama-server")
	require.NoError(t, os.WriteFile(program, nil, 0o700))
	return llamacpp.Engine{Path: program}
}

// model is a folder with the quickstart's model in GGUF.
func model(t *testing.T, o *tinygguf.Options) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, tinygguf.Write(filepath.Join(dir, "tiny.gguf"), "../../examples/quickstart/model", o))
	return dir
}

// folder holds empty files of these names.
func folder(t *testing.T, names string) string {
	t.Helper()
	dir := t.TempDir()
	for name := range strings.FieldsSeq(names) {
		file := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o700))
		require.NoError(t, os.WriteFile(file, nil, 0o600))
	}
	return dir
}

func kwargs(dir string, kv ...any) engine.Spec {
	spec := engine.Spec{ModelID: "tiny", Dir: dir, Kwargs: map[string]any{}}
	for i := 0; i < len(kv); i += 2 {
		spec.Kwargs[kv[i].(string)] = kv[i+1]
	}
	return spec
}
