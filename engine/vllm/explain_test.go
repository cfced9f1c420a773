package vllm_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/engine/vllm"
	"github.com/spinup-llm/spinup/internal/randmodel"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

type explained struct {
	kind              lifecycle.Kind
	target, say, hint string // the error's target, parts of its cause and of its hint
	stage             lifecycle.Stage
}

func (want explained) require(t *testing.T, got *lifecycle.Error) {
	t.Helper()
	require.NotNil(t, got)
	require.Equal(t, want.kind, got.Kind, "%v", got)
	require.Equal(t, want.target, got.Target, "%v", got)
	require.ErrorContains(t, got.Err, want.say)
	require.Contains(t, got.Hint, want.hint)
	if want.stage != "" {
		require.Equal(t, want.stage, got.Stage)
	}
}

// feed parses a recording up to its end or to the first line that says that all is over.
func feed(t *testing.T, spec engine.Spec, text []byte) (p engine.Parser, fatal *lifecycle.Event) {
	t.Helper()
	p = vllm.Engine{}.NewParser(spec)
	for line := range bytes.SplitSeq(text, []byte("\n")) {
		for _, e := range p.Parse(line) {
			if e.Phase == lifecycle.Fail {
				return p, &e
			}
		}
	}
	return p, nil
}

// Recordings of vLLM 0.32 that fails, trimmed. Each is the true cause's line and the many
// that follow from it.
var recordedFailures = map[string]explained{
	"noconfig":  {lifecycle.MissingFile, "/models/m/config.json", "Invalid repository ID", "config.json", lifecycle.StageEngineConfig},
	"badjson":   {lifecycle.Corrupt, "/models/badjson/config.json", "not a valid JSON file", "fetch", ""},
	"notok":     {lifecycle.MissingFile, "/models/m/tokenizer.json", "backend tokenizer", "tokenizer.json", ""},
	"nodir":     {lifecycle.NotFound, "/models/nosuch", "Repo id must be", "path", ""},
	"badarch":   {lifecycle.Invalid, "/models/m/config.json", "['LlamaaForCausalLM'] are not supported", "architecture", lifecycle.StageEngineConfig},
	"toolong":   {lifecycle.Invalid, "engine_kwargs.max_model_len", "(999999) is greater", "16384 or less", ""},
	"tp3":       {lifecycle.Invalid, "engine_kwargs.tensor_parallel_size", "divisible by tensor parallel size (3)", "divides 4", ""},
	"unkflag":   {lifecycle.Invalid, "--nosuch-flag", "unrecognized arguments: --nosuch-flag 1", "remove it", lifecycle.StagePreload},
	"badchoice": {lifecycle.Invalid, "--dtype", "invalid choice: 'float17'", "value", ""},
	"badint":    {lifecycle.Invalid, "--max-num-seqs", "invalid int value", "value", ""},
	"port":      {lifecycle.Unavailable, "port", "Address already in use", "free port", ""},
	"trunc":     {lifecycle.Corrupt, "/models/m", "file not fully covered", "fetch it again", lifecycle.StageLoadWeights},
	"missing":   {lifecycle.MissingFile, "/models/missing/model-00002-of-00004.safetensors", "referenced in index but missing", "fetch", lifecycle.StageLoadWeights},
	"noweights": {lifecycle.MissingFile, "/models/m", "Cannot find any model weights", "*.safetensors", lifecycle.StageLoadWeights},
	"badfmt":    {lifecycle.Invalid, "engine_kwargs.load_format", "`nosuch` is not supported", "safetensors", lifecycle.StageLoadWeights},
	"extra":     {lifecycle.Invalid, "engine_kwargs.model_loader_extra_config", "for runai_streamer: {'pattern'}", "remove", ""},
	"extra2":    {lifecycle.Invalid, "engine_kwargs.model_loader_extra_config", "for load format auto: {'pattern'}", "remove", ""},
	"kvbig":     {lifecycle.NoSpace, "KV cache", "less than requested memory for kv (200.0 GiB)", "VLLM_CPU_KVCACHE_SPACE", ""},
	"quant":     {lifecycle.Invalid, "engine_kwargs.quantization", "Unknown quantization method: nosuch", "leave quantization out", ""},
	"remote":    {lifecycle.Invalid, "engine_kwargs.trust_remote_code", "custom code", "trust_remote_code: true", ""},
	"runai":     {lifecycle.EngineFailed, "runai_model_streamer", "No module named", "pip install 'vllm[runai]'", ""},
	"sleep":     {lifecycle.Invalid, "engine_kwargs.enable_sleep_mode", "Sleep mode", "GPU", ""},
}

func TestRecordedFailures(t *testing.T) {
	t.Parallel()
	for name, want := range recordedFailures {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(filepath.Join("testdata/failures", name+".txt"))
			require.NoError(t, err)
			p, fatal := feed(t, engine.Spec{Dir: "/models/m"}, text)
			require.NotNil(t, fatal, "the end is known before the process ends")
			want.require(t, p.Explain(1))
			for range bytes.SplitSeq(text, []byte("\n")) {
				p.Parse([]byte("RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}"))
			}
			want.require(t, p.Explain(1))

			tl, err := vllm.ReadLog(bytes.NewReader(text))
			require.NoError(t, err)
			failed := false
			for s := range tl.All() {
				failed = failed || s.Err != nil
			}
			require.True(t, failed, "the timeline of the recording says so")
		})
	}
}

func TestRecordingsOfSuccessHaveNoCause(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"cpu-eager", "cpu-compile-cold", "cpu-compile-warm", "cpu-shards", "cpu-two-ranks"} {
		text, err := os.ReadFile(filepath.Join("testdata/logs", name+".txt"))
		require.NoError(t, err)
		p, fatal := feed(t, engine.Spec{}, text)
		require.Nil(t, fatal, name)
		require.ErrorContains(t, p.Explain(0), "nobody asked", name)
	}
}

// The recorded line is the last of the output; there is no more to it.
var failureLines = map[string]struct {
	line string
	want explained
}{
	"GPU memory": {
		"(EngineCore_DP0 pid=2) ERROR 01-01 00:00:00 [core.py:1] torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 1.17 GiB. GPU 0 has a total capacity of 7.63 GiB",
		explained{kind: lifecycle.NoSpace, target: "GPU memory", say: "Tried to allocate", hint: "gpu_memory_utilization"},
	},
	"GPU in use": {
		"(EngineCore pid=2) ERROR 01-01 00:00:00 [core.py:1] ValueError: Free memory on device cuda:0 (10.5/79.2 GiB) on startup is less than desired GPU memory utilization (0.9, 71.3 GiB). Decrease GPU memory utilization or reduce GPU memory used by other processes.",
		explained{kind: lifecycle.NoSpace, target: "engine_kwargs.gpu_memory_utilization", say: "10.5/79.2", hint: "nvidia-smi"},
	},
	"no KV cache": {
		"ValueError: No available memory for the cache blocks. Try increasing `gpu_memory_utilization` when initializing the engine.",
		explained{kind: lifecycle.NoSpace, target: "KV cache", say: "cache blocks", hint: "gpu_memory_utilization"},
	},
	"KV cache too small": {
		"(EngineCore pid=2) ERROR 01-01 00:00:00 [core.py:1] ValueError: To serve at least one request with the models's max seq len (131072), (16.00 GiB KV cache is needed, which is larger than the available KV cache memory (3.50 GiB). Based on the available memory, the estimated maximum model length is 28672. Try increasing `gpu_memory_utilization` or decreasing `max_model_len` when initializing the engine.",
		explained{kind: lifecycle.NoSpace, target: "engine_kwargs.max_model_len", say: "16.00 GiB", hint: "set max_model_len to 28672 or less"},
	},
	"KV cache too small, V0": {
		"ValueError: The model's max seq len (131072) is larger than the maximum number of tokens that can be stored in KV cache (27776). Try increasing `gpu_memory_utilization`",
		explained{kind: lifecycle.NoSpace, target: "engine_kwargs.max_model_len", say: "27776", hint: "max_model_len"},
	},
	"bfloat16": {
		"ValueError: Bfloat16 is only supported on GPUs with compute capability of at least 8.0. Your Tesla T4 GPU has compute capability 7.5.",
		explained{kind: lifecycle.Invalid, target: "engine_kwargs.dtype", say: "Tesla T4", hint: "half"},
	},
	"gated": {
		"huggingface_hub.errors.GatedRepoError: 401 Client Error. (Request ID: x) Cannot access gated repo for url https://h/m.",
		explained{kind: lifecycle.Gated, say: "gated repo", hint: "HF_TOKEN"},
	},
	"no such repository": {
		"OSError: org/none is not a local folder and is not a valid model identifier listed on 'https://huggingface.co/models'",
		explained{kind: lifecycle.NotFound, say: "org/none", hint: "org/name"},
	},
	"offline": {
		"huggingface_hub.errors.LocalEntryNotFoundError: Cannot find the requested files in the disk cache and outgoing traffic has been disabled.",
		explained{kind: lifecycle.Unavailable, say: "outgoing traffic", hint: "HF_HUB_OFFLINE"},
	},
	"libnuma": {
		"ImportError: libnuma.so.1: cannot open shared object file: No such file or directory",
		explained{kind: lifecycle.EngineFailed, target: "libnuma.so.1", say: "cannot open", hint: "apt-get install libnuma1"},
	},
	"no GPU": {
		"RuntimeError: Failed to infer device type, please set the environment variable `VLLM_LOGGING_LEVEL=DEBUG` to turn on verbose logging to help debug the issue.",
		explained{kind: lifecycle.NoCapacity, target: "accelerator", say: "infer device type", hint: "for the CPU"},
	},
	"too few GPUs": {
		"ValueError: World size (4) is larger than the number of available GPUs (2) in this node. If this is intended and you are using: - ray",
		explained{kind: lifecycle.NoCapacity, target: "engine_kwargs.tensor_parallel_size", say: "World size (4)", hint: "lower"},
	},
	"old driver": {
		"RuntimeError: The NVIDIA driver on your system is too old (found version 11040).",
		explained{kind: lifecycle.EngineFailed, target: "NVIDIA driver", say: "too old", hint: "update"},
	},
	"NCCL": {
		"(Worker_TP1 pid=3) ERROR 01-01 00:00:00 [multiproc_executor.py:1] RuntimeError: NCCL error: unhandled system error (run with NCCL_DEBUG=INFO for details)",
		explained{kind: lifecycle.EngineFailed, target: "NCCL", say: "unhandled system error", hint: "NCCL_DEBUG=INFO"},
	},
	"shared memory": {
		"OSError: [Errno 28] No space left on device: '/dev/shm/psm_1234'",
		explained{kind: lifecycle.NoSpace, target: "/dev/shm", say: "psm_1234", hint: "--shm-size"},
	},
	"no AWS credentials": {
		"botocore.exceptions.NoCredentialsError: Unable to locate credentials",
		explained{kind: lifecycle.Unauthenticated, target: "S3", say: "credentials", hint: "AWS_ACCESS_KEY_ID"},
	},
	"S3 403": {
		"botocore.exceptions.ClientError: An error occurred (403) when calling the HeadObject operation: Forbidden",
		explained{kind: lifecycle.AccessDenied, target: "S3", say: "HeadObject", hint: "s3:GetObject"},
	},
	"S3 without ETag": {
		"(Worker pid=3) ERROR 01-01 00:00:00 [multiproc_executor.py:1] Exception: Could not send runai_request to libstreamer due to: b'File access error'",
		explained{kind: lifecycle.Unavailable, target: "S3", say: "File access error", hint: "ETag"},
	},
	"not vLLM's Python": {
		"ModuleNotFoundError: No module named 'vllm'",
		explained{kind: lifecycle.Invalid, target: "vllm.Engine.Path", say: "'vllm'", hint: "environment"},
	},
	"half an installation": {
		"importlib.metadata.PackageNotFoundError: No package metadata was found for vllm",
		explained{kind: lifecycle.EngineFailed, target: "vllm", say: "metadata", hint: "again"},
	},
	"no compiler": {
		"torch._inductor.exc.InductorError: InvalidCxxCompiler: No working C++ compiler found in torch._inductor.config.cpp.cxx: (None, 'g++')",
		explained{kind: lifecycle.EngineFailed, target: "C++ compiler", say: "g++", hint: "enforce_eager"},
	},
	"weights of another model": {
		"ValueError: Following weights were not initialized from checkpoint: {'model.layers.0.mlp.down_proj.weight'}",
		explained{kind: lifecycle.Corrupt, target: "/models/m", say: "down_proj", hint: "architecture"},
	},
	"unknown to the table": {
		"(EngineCore pid=2) ERROR 01-01 00:00:00 [core.py:1] KeyError: 'layers.0.weird'",
		explained{kind: lifecycle.EngineFailed, say: "KeyError: 'layers.0.weird'", hint: "vllm serve"},
	},
}

func TestFailureLines(t *testing.T) {
	t.Parallel()
	for name, c := range failureLines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, _ := feed(t, engine.Spec{Dir: "/models/m"}, []byte(c.line))
			c.want.require(t, p.Explain(1))
		})
	}
}

// A traceback shows the line of source that raises, which looks like the error itself.
func TestSourceIsNoCause(t *testing.T) {
	t.Parallel()
	p, fatal := feed(t, engine.Spec{}, []byte("(W pid=1) ERROR 01-01 00:00:00 [a.py:1]     raise ValueError(f\"Load format `{x}` is not supported\")\n"+
		"(W pid=1) WARNING 01-01 00:00:00 [a.py:1] This can cause errors like `OSError: [Errno 24] Too many open files`\n"+
		"(W pid=1) ERROR 01-01 00:00:00 [a.py:1] ValueError: something else"))
	require.Nil(t, fatal)
	require.ErrorContains(t, p.Explain(1), "something else")
}

func TestFirstCauseWins(t *testing.T) {
	t.Parallel()
	p, _ := feed(t, engine.Spec{}, []byte("(Worker pid=3) ERROR 01-01 00:00:00 [a.py:1] ValueError: the true one\n"+
		"(EngineCore pid=2) ERROR 01-01 00:00:00 [core.py:1] Exception: WorkerProc initialization failed due to an exception in a background process. See stack trace for root cause.\n"))
	require.ErrorContains(t, p.Explain(1), "the true one")
}

func TestValidationErrorsAreToldWhole(t *testing.T) {
	t.Parallel()
	p, _ := feed(t, engine.Spec{}, []byte("pydantic_core._pydantic_core.ValidationError: 1 validation error for CompilationConfig\nlevel\n"+
		"  Input should be a valid integer [type=int_type, input_value='x', input_type=str]\n"))
	err := p.Explain(1)
	require.Equal(t, lifecycle.Invalid, err.Kind)
	require.ErrorContains(t, err, "CompilationConfig")
}

// Errors of single requests are no reason for an end that comes later.
func TestWhatWasSurvivedIsNoCause(t *testing.T) {
	t.Parallel()
	serving := gpuStart + "(APIServer pid=1) ERROR 03-04 10:05:00 [serving.py:1] ValueError: No available memory for the cache blocks\n"
	p, fatal := feed(t, engine.Spec{}, []byte(serving))
	require.Nil(t, fatal)
	require.Equal(t, lifecycle.EngineFailed, p.Explain(0).Kind)

	p, fatal = feed(t, engine.Spec{}, []byte(serving+
		"(EngineCore_DP0 pid=2) ERROR 03-04 10:06:00 [core.py:1] EngineCore encountered a fatal error.\n"+
		"(EngineCore_DP0 pid=2) ERROR 03-04 10:06:00 [core.py:1] torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB.\n"))
	require.NotNil(t, fatal)
	require.Equal(t, lifecycle.NoSpace, p.Explain(1).Kind)
	require.ErrorContains(t, p.Explain(1), "2 GiB")
}

// What callers and models say stands in the output of an engine that serves, too.
func TestWordsOfClientsAreNoDeath(t *testing.T) {
	t.Parallel()
	serving := gpuStart + strings.Join([]string{
		`(APIServer pid=1) INFO:     127.0.0.1:4 - "POST /v1/completions?x=EngineDeadError HTTP/1.1" 200 OK`,
		`(APIServer pid=1) INFO:     127.0.0.1:4 - "POST /v1/completions?x=Worker%20proc%20x%20died%20unexpectedly HTTP/1.1" 200 OK`,
		`(APIServer pid=1) INFO:     127.0.0.1:4 - "POST /v1/completions?x=[shutdown] API server: shutdown triggered`,
		`(APIServer pid=1) ERROR 03-04 10:05:00 [serving.py:1] ValueError: tool "EngineDeadError" is not known`,
		`(APIServer pid=1) INFO 03-04 10:05:00 [logger.py:1] Received request: prompt: 'error [shutdown] API server: shutdown triggered'`,
	}, "\n") + "\n"
	_, fatal := feed(t, engine.Spec{}, []byte(serving))
	require.Nil(t, fatal)
	p, fatal := feed(t, engine.Spec{}, []byte(serving+"(EngineCore pid=1) ERROR 03-04 10:05:00 [a.py:1] Worker proc VllmWorker-0 died unexpectedly, he said"))
	require.NotNil(t, fatal)
	p.(engine.Forgetter).Forget() // the engine is alive
	require.NotContains(t, p.Explain(137).Error(), "VllmWorker-0")
	dead := "(APIServer pid=1) ERROR 03-04 10:06:00 [async_llm.py:1] vllm.v1.engine.exceptions.EngineDeadError: EngineCore encountered an issue."
	_, fatal = feed(t, engine.Spec{}, []byte(serving+dead))
	require.NotNil(t, fatal)
}

func TestDeathsOfOthersAreTold(t *testing.T) {
	t.Parallel()
	for name, say := range map[string]string{
		"cpu-core-killed":   "nobody asked",
		"cpu-worker-killed": "VllmWorker-0 died unexpectedly",
	} {
		text, err := os.ReadFile(filepath.Join("testdata/logs", name+".txt"))
		require.NoError(t, err)
		p, fatal := feed(t, engine.Spec{}, text)
		require.NotNil(t, fatal, name)
		require.Equal(t, lifecycle.EngineFailed, p.Explain(0).Kind)
		require.ErrorContains(t, p.Explain(0), say, name)
	}
}

// A worker that raises is also told to have died; what it raised says more.
func TestDeathIsNotTheCauseOfAnException(t *testing.T) {
	t.Parallel()
	p, fatal := feed(t, engine.Spec{}, []byte("(Worker pid=3) ERROR 01-01 00:00:00 [a.py:1] ZeroDivisionError: division by zero\n"+
		"(EngineCore pid=2) ERROR 01-01 00:00:00 [a.py:1] Worker proc VllmWorker-0 died unexpectedly (exit code: 0), shutting down executor."))
	require.NotNil(t, fatal)
	require.ErrorContains(t, p.Explain(1), "division by zero")
}

func TestExits(t *testing.T) {
	t.Parallel()
	for exit, hint := range map[int]string{
		-1: "memory ran out", 0: "vllm serve", 1: "vllm serve", 127: "pip install vllm",
		128 + 7: "/dev/shm", 128 + 9: "memory ran out", 128 + 11: "driver", 128 + 15: "vllm serve",
	} {
		e := vllm.Engine{}.NewParser(engine.Spec{}).Explain(exit)
		require.Equal(t, lifecycle.EngineFailed, e.Kind)
		require.Contains(t, e.Hint, hint, exit)
	}
	p, _ := feed(t, engine.Spec{}, []byte("RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {'EngineCore_DP0': -9}"))
	require.ErrorContains(t, p.Explain(1), "EngineCore_DP0 died by signal 9")
	require.Contains(t, p.Explain(1).Hint, "memory ran out")
}

// vLLM does not say which file is cut; we look.
func TestCutFileIsNamed(t *testing.T) {
	t.Parallel()
	dir := model(t, randmodel.Options{Shards: 4})
	cut("model-00003-of-00004.safetensors", 3000)(t, dir)
	text, err := os.ReadFile("testdata/failures/trunc.txt")
	require.NoError(t, err)
	p, _ := feed(t, engine.Spec{Dir: dir}, text)
	require.Equal(t, filepath.Join(dir, "model-00003-of-00004.safetensors"), p.Explain(1).Target)
}

func TestExplainRedacts(t *testing.T) {
	t.Parallel()
	p, _ := feed(t, engine.Spec{Env: lifecycle.EnvVars{"T": "canary-7f3a"}}, []byte("ValueError: the token canary-7f3a is bad"))
	require.NotContains(t, p.Explain(1).Error(), "canary")
	require.ErrorContains(t, p.Explain(1), "redacted")
}
