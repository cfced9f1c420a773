package vllm_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spinup-llm/spinup/internal/testenv"
	"github.com/stretchr/testify/require"
)

// What the launcher changes of transformers' import makes it faster, and nothing else.
func TestRealTransformersFindsTheSame(t *testing.T) {
	t.Parallel()
	python := filepath.Join(filepath.Dir(testenv.VLLM(t)), "python")
	code, err := os.ReadFile("launcher.py")
	require.NoError(t, err)
	functions, _, found := strings.Cut(string(code), "\ntry:\n    why = imports()")
	require.True(t, found)
	const show = `
import transformers.models
from transformers.utils import import_utils
print(sorted((k, sorted(v)) for k, v in import_utils.PACKAGE_DISTRIBUTION_MAPPING.items()))
for path in ("transformers", "transformers.models"):
    module = sys.modules[path]
    for found in module._import_structure, module._class_to_module, module._object_missing_backend:
        print(path, sorted((name, sorted(value) if isinstance(value, list) else value) for name, value in found.items()))
print(sorted(name for name in dir(transformers)))
`
	say := func(program string) string {
		cmd := exec.CommandContext(t.Context(), python, "-c", program, "eager", "/vllm")
		cmd.Env, cmd.Stderr = append(os.Environ(), "PYTHONHASHSEED=0"), os.Stderr
		out, err := cmd.Output()
		require.NoError(t, err)
		return string(out)
	}
	plain := say(functions + show)
	require.Contains(t, plain, "LlamaForCausalLM")
	require.Equal(t, plain, say(functions+"\nlook_once_at_transformers()\n"+show))
}
