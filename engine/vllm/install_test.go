package vllm_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spinup-llm/spinup/engine/vllm"
	"github.com/spinup-llm/spinup/internal/randmodel"
	"github.com/stretchr/testify/require"
)

// installation writes what an installed vLLM looks like from outside: a script that names
// its interpreter, and those sources that the driver reads, in their form and with words
// of ours. Its folders are given as maps from a path below site-packages to a content.
func installation(tb testing.TB, more ...map[string]string) vllm.Engine {
	tb.Helper()
	root := tb.TempDir()
	packages := filepath.Join(root, "lib/python3.12/site-packages")
	files := map[string]string{
		"vllm/engine/arg_utils.py":                                  argUtils(),
		"vllm/entrypoints/openai/cli_args.py":                       cliArgs,
		"vllm/model_executor/models/registry.py":                    registry(),
		"vllm/model_executor/model_loader/__init__.py":              loaderInit,
		"vllm/model_executor/model_loader/default_loader.py":        `allowed_keys = {"num_threads"}; raise ValueError("Unexpected extra config keys")`,
		"vllm/model_executor/model_loader/runai_streamer_loader.py": `allowed_keys = {"distributed", "concurrency", "memory_limit"}; raise ValueError("Unexpected extra config keys")`,
		"vllm/model_executor/model_loader/sharded_state_loader.py":  `self.pattern = extra_config.pop("pattern", None); raise ValueError("Unexpected extra config keys")`,
		"vllm/model_executor/model_loader/dummy_loader.py":          `raise ValueError("Model loader extra config is not supported")`,
		"transformers/models/auto/modeling_auto.py":                 transformersAuto(),
		"runai_model_streamer/__init__.py":                          "",
		"runai_model_streamer_s3/__init__.py":                       "",
	}
	for _, m := range more {
		maps.Copy(files, m)
	}
	for name, content := range files {
		path := filepath.Join(packages, name)
		require.NoError(tb, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(tb, os.WriteFile(path, []byte(content), 0o600))
	}
	program := filepath.Join(root, "bin/vllm")
	require.NoError(tb, os.MkdirAll(filepath.Dir(program), 0o755))
	require.NoError(tb, os.WriteFile(program, []byte("#!"+root+"/bin/python3\nimport sys\n"), 0o755))
	return vllm.Engine{Path: program}
}

// emptyInstallation is a program whose sources cannot be found.
func emptyInstallation(tb testing.TB) vllm.Engine {
	tb.Helper()
	program := filepath.Join(tb.TempDir(), "vllm")
	require.NoError(tb, os.WriteFile(program, []byte("#!/bin/sh\nexit 1\n"), 0o755))
	return vllm.Engine{Path: program}
}

func argUtils() string {
	var fields, calls strings.Builder
	add := func(name, annotation, call string) {
		fmt.Fprintf(&fields, "    %s: %s = None\n", name, annotation)
		fmt.Fprintf(&calls, "        group.add_argument(\n            %q, %s\n        )\n", "--"+strings.ReplaceAll(name, "_", "-"), call)
	}
	for name, annotation := range map[string]string{
		"max_model_len": "int", "tensor_parallel_size": "int", "pipeline_parallel_size": "int", "data_parallel_size": "int",
		"dtype": "ModelDType", "load_format": "str | LoadFormats", "gpu_memory_utilization": "float",
		"tokenizer": "str | None", "revision": "Optional[str]", "distributed_executor_backend": "(\n        str | type[Executor] | None\n    )",
		"enforce_eager": "bool", "enable_prefix_caching": "bool | None", "trust_remote_code": "bool", "skip_tokenizer_init": "bool",
		"enable_sleep_mode": "bool", "hf_token": "bool | str | None", "otlp_traces_endpoint": "str | None",
		"compilation_config": "CompilationConfig", "model_loader_extra_config": "dict", "hf_overrides": "HfOverrides",
		"cudagraph_capture_sizes": "list[int] | None", "allowed_media_domains": "list[str] | None", "cpu_offload_params": "set[str]",
		"served_model_name": "str | list[str] | None", "shutdown_timeout": "int", "runner": `Literal["auto", "generate"]`,
		"kv_cache_memory_bytes": "int | None", "max_num_seqs": "int | None", "seed": "int", "speculative_config": "dict[str, Any] | None",
		"scheduling_policy": "SchedulerPolicy", "watermark": "float", "stats": "bool", "device_ids": "list[int | str] | None",
	} {
		if name == "device_ids" { // the annotation is not the whole truth
			add(name, annotation, "type=lambda s: [int(x) for x in s.split(\",\")]")
			continue
		}
		add(name, annotation, fmt.Sprintf("**kwargs[%q]", name))
	}
	for i := range 40 {
		add(fmt.Sprintf("tuning_%c%c", 'a'+i/26, 'a'+i%26), "int", "**k")
	}
	calls.WriteString("        parser.add_argument('--log-stats', action='store_true', help='switch (old)')\n")
	return "\"\"\"Doc with --not-an-option and\nclass NoEngineArgs:\n    ghost: int = 1\n\"\"\"\n@dataclass\nclass EngineArgs:\n    \"\"\"Words:\n    ghost: no field\n    \"\"\"\n" +
		fields.String() + "\n    @staticmethod\n    def add_cli_args(parser):\n" + calls.String() + "\n\ndef after():\n    pass\n"
}

const cliArgs = `
@config
class BaseFrontendArgs:
    """Words."""

    lora_modules: list[LoRAModulePath] | None = None
    """More words."""
    default_mm_loras: dict[str, str] | None = None
    chat_template: str | None = None
    default_chat_template_kwargs: dict[str, Any] | None = None
    enable_auto_tool_choice: bool = False

    @classmethod
    def customize(cls, kwargs):
        local: int = 3
        return kwargs


@config
class FrontendArgs(BaseFrontendArgs):
    host: str | None = None
    port: int = 8000
    disable_access_log_for_endpoints: str | None = None
    allowed_origins: list[str] = field(default_factory=lambda: ["*"])
    middleware: list[str] = field(default_factory=list)
`

const loaderInit = `
from vllm.model_executor.model_loader.default_loader import DefaultModelLoader
from vllm.model_executor.model_loader.dummy_loader import DummyModelLoader
from vllm.model_executor.model_loader.runai_streamer_loader import (
    RunaiModelStreamerLoader,
)
from vllm.model_executor.model_loader.sharded_state_loader import ShardedStateLoader

_LOAD_FORMAT_TO_MODEL_LOADER: dict[str, type[BaseModelLoader]] = {
    "auto": DefaultModelLoader,
    "safetensors": DefaultModelLoader,
    "dummy": DummyModelLoader,
    "runai_streamer": RunaiModelStreamerLoader,
    "runai_streamer_sharded": ShardedStateLoader,
    "sharded_state": ShardedStateLoader,
}
`

func registry() string {
	var b strings.Builder
	b.WriteString("_TEXT_GENERATION_MODELS = {\n    \"LlamaForCausalLM\": (\"llama\", \"LlamaForCausalLM\"),\n")
	for i := range 50 {
		fmt.Fprintf(&b, "    \"Kind%dForCausalLM\": (\n        \"kind\",\n        \"Kind\",\n    ),\n", i)
	}
	return b.String() + "}\n"
}

func transformersAuto() string {
	var b strings.Builder
	for i := range 50 {
		fmt.Fprintf(&b, "        (\"other%d\", \"Other%dForCausalLM\"),\n", i, i)
	}
	return b.String()
}

// model writes a whole model and returns its folder.
func model(tb testing.TB, opts randmodel.Options) string {
	tb.Helper()
	dir := tb.TempDir()
	opts.Layers = 1
	require.NoError(tb, randmodel.Write(dir, opts))
	return dir
}
