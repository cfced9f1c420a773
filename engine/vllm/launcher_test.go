package vllm_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spinup-llm/spinup/internal/testenv"
	"github.com/stretchr/testify/require"
)

// stubs are what the launcher needs of vLLM and its company, beside empty modules.
var stubs = map[string]string{
	"vllm/platforms": `
import os, sys
class CpuPlatform:
    device_type = "cpu"
    @classmethod
    def is_cpu(cls): return True
    @classmethod
    def register_triton_kernel_overrides(cls): print("kernels", flush=True)
    @classmethod
    def check_and_update_config(cls, config): os.environ["VLLM_WORKER_MULTIPROC_METHOD"] = "spawn"
current_platform = CpuPlatform()
`,
	"vllm/entrypoints/cli/main": `
import os, sys, multiprocessing
def child():
    import torch
    from vllm.platforms import current_platform
    current_platform.register_triton_kernel_overrides()
    print("child", sorted(os.sched_getaffinity(0)), torch.threads, sys.modules["opentelemetry.trace"]._TRACER_PROVIDER_SET_ONCE is parent, sys.modules["opentelemetry.context"].current, flush=True)
import opentelemetry.trace
parent = opentelemetry.trace._TRACER_PROVIDER_SET_ONCE
def main():
    from vllm.platforms import current_platform
    from huggingface_hub import constants
    from vllm.model_executor.models import registry
    current_platform.check_and_update_config(None)
    print("described in a process of its own", registry.describe() not in (-1, os.getpid()), flush=True)
    print("main", sys.argv[1:], os.environ.get("LATE"), os.environ.get("EARLY"), constants.HF_HUB_OFFLINE, sys.path[0], flush=True)
    import torch
    from vllm.entrypoints.cli import serve
    print("compiled", torch.compiled, end=" ")
    print(serve.double(1) + serve.double(2), torch.compiled, torch.compile.__name__, flush=True)
    print("inductor", "torch._inductor" in sys.modules, end=" ")
    from torch._inductor import lowering
    print(lowering.patched, flush=True)
    method = os.environ["VLLM_WORKER_MULTIPROC_METHOD"]
    print("method", method, flush=True)
    if method == "fork":
        os.environ.update(OMP_NUM_THREADS="3", GOMP_CPU_AFFINITY="0")
        p = multiprocessing.get_context("fork").Process(target=child)
        p.start()
        p.join()
    return 7
`,
	"vllm/model_executor/models/registry": "import os\ndef _run_in_subprocess(work): return -1\ndef describe(): return _run_in_subprocess(os.getpid)\n",
	"vllm/env_override": `
def _patch_inductor_fallback_allow_list():
    try:
        from torch._inductor import lowering
    except ImportError:
        return
    lowering.patched += 1
_patch_inductor_fallback_allow_list()
`,
	"vllm/distributed/device_communicators/shm_broadcast": "class SpinCondition:\n    def wait(self, timeout_ms=None): pass\n",
	"torch/_inductor":                              "",
	"torch/_inductor/lowering":                     "patched = 0\n",
	"torch/_inductor/compile_fx":                   "import torch._inductor.lowering\n",
	"torch/_inductor/custom_graph_pass":            "",
	"torch/_inductor/runtime/triton_helpers":       "",
	"torch/_dynamo/_trace_wrapped_higher_order_op": "",
	"torch/compiler":                               "",
	"torch": `
import torch.compiler
threads = 0
compiled = []
def set_num_threads(n):
    global threads
    threads = n
def compile(function=None, **how):
    compiled.append(how)
    return function or (lambda function: function)
`,
	"huggingface_hub/constants": "HF_HUB_OFFLINE = False\ndef _is_true(v): return v == '1'\n",
	"opentelemetry/trace":       "class Once: pass\n_TRACER_PROVIDER_SET_ONCE = Once()\n",
	"opentelemetry/context":     "Context = dict\ncurrent = None\ndef attach(context):\n    global current\n    current = context\n",
	"vllm/entrypoints/cli/serve": `
import torch
@torch.compile(dynamic=True)
def double(n): return 2 * n
`,
}

// stubbed writes an installation that imports in no time, and returns its program.
func stubbed(t *testing.T, replace map[string]string) (program, launcher string) {
	t.Helper()
	code, err := os.ReadFile("launcher.py")
	require.NoError(t, err)
	root := t.TempDir()
	names := regexp.MustCompile(`(?m)^(?:vllm|torch)\.\S+.*$`).FindAllString(string(code), -1)
	modules := map[string]string{"uvicorn": "", "uvloop": ""}
	for _, line := range names {
		for name := range strings.FieldsSeq(line) {
			modules[strings.ReplaceAll(name, ".", "/")] = ""
		}
	}
	for _, m := range []map[string]string{stubs, replace} {
		maps.Copy(modules, m)
	}
	for name, text := range modules {
		dir := filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(dir, 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "__init__.py"), []byte(text), 0o600))
	}
	program = filepath.Join(root, "vllm-program")
	script := "import os, sys\nprint('plain', sys.argv[1:], os.environ.get('LATE'), os.environ.get('EARLY'))\nsys.exit(5)\n"
	require.NoError(t, os.WriteFile(program, []byte(script), 0o600))
	return program, string(code)
}

func launch(t *testing.T, replace map[string]string, input string, env ...string) (output string, exit int) {
	t.Helper()
	return launchAs(t, "eager", replace, input, env...)
}

func launchAs(t *testing.T, mode string, replace map[string]string, input string, env ...string) (output string, exit int) {
	t.Helper()
	testenv.Real(t, "python3")
	program, launcher := stubbed(t, replace)
	cmd := exec.CommandContext(t.Context(), "python3", "-c", launcher, mode, program)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "EARLY=1", "PYTHONDONTWRITEBYTECODE=1"}, env...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	if err != nil {
		require.ErrorAs(t, err, new(*exec.ExitError), string(out))
	}
	return strings.ReplaceAll(string(out), filepath.Dir(program), "ROOT"), cmd.ProcessState.ExitCode()
}

const order = `{"argv": ["serve", "/m", "ü"], "env": {"LATE": "x", "EARLY": null, "HF_HUB_OFFLINE": "1"}}` + "\n"

func TestLauncherBecomesTheServer(t *testing.T) {
	t.Parallel()
	out, exit := launch(t, nil, order)
	require.Equal(t, `kernels
spinup preload: imported; workers are forked
described in a process of its own True
main ['serve', '/m', 'ü'] x None True ROOT
compiled [] 6 [{'dynamic': True}] compile
inductor False 1
method fork
child [0] 3 False {}
`, out)
	require.Equal(t, 7, exit)
}

// What vLLM patches of Inductor is patched whenever that is imported, once.
func TestLauncherImportsTheCompiler(t *testing.T) {
	t.Parallel()
	out, exit := launchAs(t, "compiled", nil, order)
	require.Contains(t, out, "compiled [{'dynamic': True}] 6 [{'dynamic': True}] compile\ninductor True 1\n")
	require.Equal(t, 7, exit)
}

func TestLauncherEndsWithItsInput(t *testing.T) {
	t.Parallel()
	out, exit := launch(t, nil, "")
	require.Equal(t, "kernels\nspinup preload: imported; workers are forked\n", out)
	require.Zero(t, exit)
}

func TestLauncherLeavesSpawnWhereForksAreNotSafe(t *testing.T) {
	t.Parallel()
	cuda := strings.Replace(strings.Replace(stubs["vllm/platforms"], "return True", "return False", 1), `"cpu"`, `"cuda"`, 1)
	for why, c := range map[string]struct {
		replace map[string]string
		env     string
	}{
		"the platform is cuda":                {map[string]string{"vllm/platforms": cuda}, ""},
		"VLLM_WORKER_MULTIPROC_METHOD is set": {nil, "VLLM_WORKER_MULTIPROC_METHOD=spawn"},
		"there are threads already":           {map[string]string{"uvloop": "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"}, ""},
	} {
		out, exit := launch(t, c.replace, order, c.env)
		require.Contains(t, out, "spinup preload: imported; "+why+", so workers are spawned\n")
		require.Contains(t, out, "method spawn\n")
		require.Equal(t, 7, exit, out)
	}
}

// Where something is not as it was, vLLM starts as by hand, whenever it was told.
func TestLauncherStepsAside(t *testing.T) {
	t.Parallel()
	other := strings.ReplaceAll(stubs["vllm/platforms"], "check_and_update_config", "check_config")
	for says, replace := range map[string]map[string]string{
		"AttributeError: type object 'CpuPlatform' has no attribute 'check_and_update_config'":              {"vllm/platforms": other},
		"ModuleNotFoundError: No module named 'gone'":                                                       {"uvicorn": "import gone\n"},
		"AttributeError: module 'vllm.env_override' has no attribute '_patch_inductor_fallback_allow_list'": {"vllm/env_override": ""},
	} {
		out, exit := launch(t, replace, order)
		require.Equal(t, "spinup preload: "+says+"; vLLM starts when the model is there\nplain ['serve', '/m', 'ü'] x None\n", out)
		require.Equal(t, 5, exit)
	}
	out, exit := launch(t, map[string]string{"vllm/distributed/device_communicators/shm_broadcast": ""}, order)
	require.Contains(t, out, "has no attribute 'SpinCondition'; vLLM starts when the model is there\nplain ")
	require.Equal(t, 5, exit)
}
