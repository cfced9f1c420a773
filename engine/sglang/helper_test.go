package sglang_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/engine/sglang"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const quickstart = "../../examples/quickstart/model"

// fields are settings as SGLang 0.5.23 declares them, in words of ours.
const fields = `
class Model(msgspec.Struct):
    """Namespace, with a field_in_the_docs: A[int, "no"] = 1."""

    derived = Derived(fn="a.b", doc="none of ours")
    model_path: A[
        str,
        Arg(help="The path [of (the) weights].", aliases=["--model"]),
    ]
    served_model_name: A[Optional[str], "The name."] = None
    host: A[str, "The host."] = "127.0.0.1"
    port: A[int, "The port."] = 30000
    device: A[Optional[str], "The device."] = None
    context_length: A[
        Optional[int],
        Arg(
            help="The longest context."
            f"\n\n{human_readable_int.__doc__}",
            type_parser=human_readable_int,
        ),
    ] = None
    is_embedding: A[bool, "An embedding model."] = False
    skip_tokenizer_init: A[
        bool, "If set, takes input_ids."
    ] = False
    tp_size: A[
        int,
        Arg(help="Ranks.", aliases=["--tensor-parallel-size"]),
    ] = 1
    dp_size: A[
        int,
        Arg(help="Replicas.", aliases=["--data-parallel-size"]),
    ] = 1
    load_format: A[str, Arg(help="Format.", choices=CHOICES)] = "auto"
    tokenizer_path: A[Optional[str], "Its path."] = None
    mem_fraction_static: A[Optional[float], "Of memory."] = None
    fp8_gemm_runner_backend: A[str, Arg(help="x", cli_name="--fp8-gemm-backend")] = "auto"
    enable_tf32_matmul: A[Optional[bool], Arg(help="x", action=argparse.BooleanOptionalAction)] = None
    cuda_graph_bs: A[Optional[List[int]], "Sizes."] = None
    lora_paths: A[Optional[List[str]], Arg(help="x", action=LoRAPathAction, action_kwargs={"type": str, "nargs": "*"})] = None
    forward_hooks: A[Optional[List[dict]], Arg(help="x", type_parser=json_list_type)] = None
    json_model_override_args: A[str, "JSON."] = "{}"
    uvicorn_access_log_exclude_prefixes: A[List[str], Arg(help="x", nargs="*")] = []
    disable_cuda_graph: A[bool, Arg(help="x", no_cli=True)] = False
    hidden_from_all: A[bool, Arg(help="x", no_cli=True)] = False
`

const serverArgs = `
parser.add_argument(
    "--sampling-backend",
    choices=choices,
    help="--not-an-option",
)
parser.add_argument("--disable-cuda-graph", action=DeprecatedStoreTrueAction, new_flag="--cuda-graph-backend")
parser.add_argument("--config", type=str)
`

// installation is an engine whose program is there and cannot run; its sources are those
// that the driver reads.
func installation(t *testing.T) sglang.Engine {
	t.Helper()
	root := t.TempDir()
	pkg := filepath.Join(root, "lib/python3.12/site-packages/sglang/srt")
	var more strings.Builder
	for i := range 60 {
		fmt.Fprintf(&more, "    option_%c%c: A[int, \"x\"] = 1\n", 'a'+i/26, 'a'+i%26)
	}
	for name, text := range map[string]string{
		filepath.Join(pkg, "arg_groups/fields/model.py"): fields + more.String(),
		filepath.Join(pkg, "server_args.py"):             serverArgs,
		filepath.Join(root, "bin/sglang"):                "#!" + root + "/bin/python3\n",
	} {
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
		require.NoError(t, os.WriteFile(name, []byte(text), 0o755))
	}
	return sglang.Engine{Path: filepath.Join(root, "bin/sglang")}
}

func kwargs(kv ...any) engine.Spec {
	spec := engine.Spec{ModelID: "tiny", Dir: quickstart, Kwargs: map[string]any{}}
	for i := 0; i < len(kv); i += 2 {
		spec.Kwargs[kv[i].(string)] = kv[i+1]
	}
	return spec
}
