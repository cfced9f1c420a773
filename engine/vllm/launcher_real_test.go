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
	plain := inLauncher(t, show)
	require.Contains(t, plain, "LlamaForCausalLM")
	require.Equal(t, plain, inLauncher(t, "look_once_at_transformers()\n"+show))
}

// A server that runs eagerly imports no compiler. Who needs it later gets all that was said of
// functions before.
func TestRealCompilerComesWhenNeeded(t *testing.T) {
	t.Parallel()
	const show = `
import torch
def patched():
    return inspect.getframeinfo.__defaults__, torch.compile, *vars(torch.compiler).values()
before = patched()
imports()
print([name for name in sys.modules if re.match(r"torch\._(dynamo|inductor)\b(?!.*\.)", name)], "_dynamo" in vars(torch))
print(before == patched())

from transformers.integrations.deepgemm import _load_deepgemm_kernel
from transformers.integrations.eager_paged import eager_paged_attention_forward
from vllm.compilation import decorators
from vllm.compilation.passes import inductor_pass
from vllm.model_executor.layers.fused_moe.runner import moe_runner
print(torch.compile(lambda x: x * 2)(torch.ones(2)).tolist())
print(id(_load_deepgemm_kernel) in torch._dynamo.trace_rules._allowed_callable_ids)
print(any(getattr(f, "_dynamo_marked_constant", False) for f in vars(moe_runner).values()))
print(torch._inductor.custom_graph_pass.CustomGraphPass is inductor_pass.CustomGraphPass, torch._inductor.runtime.triton_helpers.__name__)
print(decorators.InliningInstructionTranslator is torch._dynamo.symbolic_convert.InliningInstructionTranslator)
print(eager_paged_attention_forward.__code__.co_filename == torch._compile.__file__)
`
	require.Equal(t, `[] False
True
[2.0, 2.0]
True
True
True torch._inductor.runtime.triton_helpers
True
True
`, inLauncher(t, show))
}

// It may come while others are still imported, or before.
func TestRealCompilerComesEarly(t *testing.T) {
	t.Parallel()
	const show = `
import_without_inductor()
import torch
end = mark_when_imported()
before = torch.compiler.allow_in_graph(lambda x: x)
print("torch._dynamo" in sys.modules)
import torch._dynamo.symbolic_convert as symbolic_convert
after = torch.compiler.allow_in_graph(lambda x: x)
from vllm.compilation import decorators
end()
print([id(f) in torch._dynamo.trace_rules._allowed_callable_ids for f in (before, after)])
print(decorators.InliningInstructionTranslator is symbolic_convert.InliningInstructionTranslator is not None)
print(sys.modules["torch._dynamo.symbolic_convert"] is symbolic_convert)
mark_when_imported()() # too late for anything
print(sys.modules["torch._dynamo"] is torch._dynamo)
`
	require.Equal(t, "False\n[True, True]\nTrue\nTrue\nTrue\n", inLauncher(t, show))
}

// Who waits for a message sleeps soon, gets all, and is woken after the pauses that vLLM spins
// through and after longer ones.
func TestRealWaitsSleep(t *testing.T) {
	t.Parallel()
	const show = `
import threading
from vllm.distributed.device_communicators import shm_broadcast
sleep_soon()
looks, wait = 0, shm_broadcast.SpinCondition.wait
def count(self, timeout_ms=None):
    global looks
    looks += time.monotonic() - self.last_read > 0.01
    wait(self, timeout_ms)
shm_broadcast.SpinCondition.wait = count
pauses = [0, 0.3, 0, 0, 1.3, 0.1, 0]
to = shm_broadcast.MessageQueue(1, 1)
def write():
    to.wait_until_ready()
    for pause in pauses:
        time.sleep(pause)
        to.enqueue(pause)
writer = threading.Thread(target=write)
writer.start()
of = shm_broadcast.MessageQueue.create_from_handle(to.export_handle(), 0)
of.wait_until_ready()
print([of.dequeue(timeout=30) for _ in pauses] == pauses, looks < 1000 or looks)
writer.join()
`
	require.Equal(t, "True True\n", inLauncher(t, show))
}

// inLauncher returns what a program says that has the launcher's functions, without what the engine
// logs.
func inLauncher(t *testing.T, program string) string {
	t.Helper()
	python := filepath.Join(filepath.Dir(testenv.VLLM(t)), "python")
	code, err := os.ReadFile("launcher.py")
	require.NoError(t, err)
	functions, _, found := strings.Cut(string(code), "\ntry:\n    why = imports()")
	require.True(t, found)
	cmd := exec.CommandContext(t.Context(), python, "-c", functions+"\n"+program, "eager", "/vllm")
	cmd.Env, cmd.Stderr = append(os.Environ(), "PYTHONHASHSEED=0", "VLLM_LOGGING_STREAM=ext://sys.stderr"), os.Stderr
	out, err := cmd.Output()
	require.NoError(t, err)
	return string(out)
}
