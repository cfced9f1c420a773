package vllm_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/engine/vllm"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

// stagesOf writes a timeline as "stage seconds" in order of time.
func stagesOf(tl lifecycle.Timeline) string {
	var parts []string
	for s := range tl.All() {
		if s.Stage == lifecycle.StageReady {
			parts = append(parts, "ready")
			continue
		}
		parts = append(parts, fmt.Sprintf("%s %g", s.Stage, s.Duration().Seconds()))
	}
	return strings.Join(parts, ", ")
}

func readLog(t *testing.T, text string) lifecycle.Timeline {
	t.Helper()
	tl, err := vllm.ReadLog(strings.NewReader(text))
	require.NoError(t, err)
	return tl
}

func says(t *testing.T, tl lifecycle.Timeline, stage lifecycle.Stage) string {
	t.Helper()
	for s := range tl.All() {
		if s.Stage == stage {
			return s.Message
		}
	}
	require.Fail(t, "no such stage", stage)
	return ""
}

// Recordings of vLLM 0.32 on a CPU, trimmed; seconds are of the stamps in the log.
func TestRecordedStarts(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"cpu-eager":        "preload 9, engine_config 12, start_workers 19, load_weights 1, kv_cache 3, start_server 1, ready",
		"cpu-compile-cold": "preload 6, engine_config 10, start_workers 18, load_weights 1, compile 31, kv_cache 2, start_server 1, ready",
		"cpu-compile-warm": "preload 8, engine_config 0, start_workers 18, load_weights 1, compile 11, kv_cache 3, start_server 1, ready",
		"cpu-shards":       "preload 7, engine_config 0, start_workers 40, load_weights 2, kv_cache 2, start_server 1, ready",
		"cpu-two-ranks":    "preload 7, engine_config 0, start_workers 35, load_weights 1, kv_cache 6, start_server 1, ready",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(filepath.Join("testdata/logs", name+".txt"))
			require.NoError(t, err)
			tl := readLog(t, string(text))
			require.Equal(t, want, stagesOf(tl))
			require.Zero(t, tl.Unattributed("vllm"))
		})
	}
}

func TestCompileCacheIsTold(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"cpu-compile-cold": "cache miss", "cpu-compile-warm": "cache not usable"} {
		text, err := os.ReadFile(filepath.Join("testdata/logs", name+".txt"))
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(says(t, readLog(t, string(text)), lifecycle.StageCompile), want))
	}
}

// gpuStart is a start on a GPU in the form of vLLM 0.10 to 0.32, in our own numbers.
const gpuStart = `INFO 03-04 10:00:00 [__init__.py:1] Automatically detected platform cuda.
(APIServer pid=1) INFO 03-04 10:00:09 [utils.py:2] non-default args: {'model': '/m', 'hf_token': 'hf_abcdefgh'}
(APIServer pid=1) INFO 03-04 10:00:10 [model.py:3] Resolved architecture: LlamaForCausalLM
(APIServer pid=1) INFO 03-04 10:00:11 [model.py:4] Using max model len 4096
(EngineCore_DP0 pid=2) INFO 03-04 10:00:20 [core.py:5] Initializing a V1 LLM engine (v0.11.0) with config: model='/m', enforce_eager=False
(EngineCore_DP0 pid=2) INFO 03-04 10:00:25 [gpu_model_runner.py:6] Starting to load model /m...
` + "\r(EngineCore_DP0 pid=2) Loading safetensors checkpoint shards:   0% Completed | 0/2 [00:00<?, ?it/s]\r(EngineCore_DP0 pid=2) Loading safetensors checkpoint shards: 100% Completed | 2/2 [00:03<00:00]\n" +
	`(EngineCore_DP0 pid=2) INFO 03-04 10:00:29 [default_loader.py:7] Loading weights took 3.51 seconds
(EngineCore_DP0 pid=2) INFO 03-04 10:00:30 [gpu_model_runner.py:8] Model loading took 2.3185 GiB and 4.701 seconds
(EngineCore_DP0 pid=2) INFO 03-04 10:00:38 [backends.py:9] Using cache directory: /c/torch_compile_cache/0a1b/rank_0_0/backbone for vLLM's torch.compile
(EngineCore_DP0 pid=2) INFO 03-04 10:00:38 [backends.py:10] Dynamo bytecode transform time: 7.61 s
(EngineCore_DP0 pid=2) INFO 03-04 10:00:51 [backends.py:11] Compiling a graph for dynamic shape takes 12.66 s
(EngineCore_DP0 pid=2) INFO 03-04 10:00:52 [monitor.py:12] torch.compile takes 20.27 s in total
(EngineCore_DP0 pid=2) INFO 03-04 10:00:54 [gpu_worker.py:13] Available KV cache memory: 61.20 GiB
(EngineCore_DP0 pid=2) INFO 03-04 10:00:55 [kv_cache_utils.py:14] GPU KV cache size: 500,000 tokens
(EngineCore_DP0 pid=2) INFO 03-04 10:00:55 [kv_cache_utils.py:15] Maximum concurrency for 4,096 tokens per request: 122.07x
` + "Capturing CUDA graphs (mixed prefill-decode, PIECEWISE):   0%|          | 0/67 [00:00<?, ?it/s]\rCapturing CUDA graphs (mixed prefill-decode, PIECEWISE): 100%|██████████| 67/67 [00:06<00:00]" +
	`(EngineCore_DP0 pid=2) INFO 03-04 10:01:03 [gpu_model_runner.py:16] Graph capturing finished in 7 secs, took 0.62 GiB
(EngineCore_DP0 pid=2) INFO 03-04 10:01:04 [core.py:17] init engine (profile, create kv cache, warmup model) took 34.10 seconds
(APIServer pid=1) INFO 03-04 10:01:05 [api_server.py:18] Supported tasks: ['generate']
(APIServer pid=1) INFO 03-04 10:01:05 [api_server.py:19] Starting vLLM API server 0 on http://0.0.0.0:8000
INFO:     Application startup complete.
`

func TestGPUForm(t *testing.T) {
	t.Parallel()
	tl := readLog(t, gpuStart)
	require.Equal(t, "preload 9, engine_config 2, start_workers 14, load_weights 5, compile 22, profile_memory 2, "+
		"kv_cache 1, capture_graphs 9, start_server 1, ready", stagesOf(tl))
	require.Equal(t, "Model loading took 2.3185 GiB and 4.701 seconds", says(t, tl, lifecycle.StageLoadWeights))
	require.Equal(t, "cache miss; torch.compile takes 20.27 s in total", says(t, tl, lifecycle.StageCompile))
	require.Equal(t, "Available KV cache memory: 61.20 GiB", says(t, tl, lifecycle.StageProfileMemory))
	require.Equal(t, "Graph capturing finished in 7 secs, took 0.62 GiB", says(t, tl, lifecycle.StageCaptureGraphs))
	var out bytes.Buffer
	_, err := tl.WriteTo(&out)
	require.NoError(t, err)
	require.NotContains(t, out.String(), "hf_abcdefgh", "arguments may be secrets")
}

func TestOtherFormsOfTheSame(t *testing.T) {
	t.Parallel()
	want := stagesOf(readLog(t, gpuStart))
	each := func(f func(string) string) string {
		return strings.Join(mapLines(strings.Split(gpuStart, "\n"), f), "\n")
	}
	for name, text := range map[string]string{
		"colours":            each(func(l string) string { return "\x1b[1;36m" + strings.Replace(l, ")", ")\x1b[0;0m", 1) }),
		"a container's name": each(func(l string) string { return "vllm-1  | " + l }),
		"below Ray":          each(func(l string) string { return "\x1b[36m(ServeReplica:default:LLMServer:llama pid=9)\x1b[0m " + l }),
		"below Ray, far":     each(func(l string) string { return "(ServeReplica:default:LLMServer:llama pid=9, ip=10.0.0.1) " + l }),
		"other line numbers": strings.NewReplacer(":6]", ":6006]", ":13]", ":1]").Replace(gpuStart),
		"other file names":   strings.ReplaceAll(gpuStart, "gpu_model_runner.py", "model_runner_v2.py"),
		"milliseconds":       strings.NewReplacer(" [core.py", ",123 [core.py").Replace(gpuStart),
		"V0's form":          strings.NewReplacer("[", "", "] ", "] ", "EngineCore_DP0", "VllmWorkerProcess").Replace(strings.ReplaceAll(gpuStart, "%|", "%|")),
		"newer words": strings.NewReplacer(
			"torch.compile takes 20.27 s in total", "[backbone] torch.compile took 20.27 s in total",
			"2.3185 GiB and", "2.3185 GiB memory and", "for dynamic shape", "for compile range (1, 4096)").Replace(gpuStart),
		"new lines": each(func(l string) string {
			return l + "\n(EngineCore_DP0 pid=2) INFO [new.py:1] Polishing the tensors took 3 s"
		}),
		"carriage":    strings.ReplaceAll(gpuStart, "\n", "\r\n"),
		"empty lines": strings.ReplaceAll(gpuStart, "\n", "\n\n"),
	} {
		require.Equal(t, want, stagesOf(readLog(t, text)), name)
	}
}

func mapLines(lines []string, f func(string) string) []string {
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = f(l)
	}
	return out
}

// Four ranks below Ray, which folds equal lines and prints them late, with their old
// stamps; and whose driver prints everything once more.
func TestRanksBelowRay(t *testing.T) {
	t.Parallel()
	const log = `(ServeReplica:default:LLMServer:m pid=1) INFO 03-04 10:00:00 [__init__.py:1] Automatically detected platform cuda.
(_get_vllm_engine_config pid=3) INFO 03-04 10:00:08 [model.py:1] Resolved architecture: LlamaForCausalLM
(_get_vllm_engine_config pid=3) INFO 03-04 10:00:09 [model.py:1] Using max model len 8192
(ServeReplica:default:LLMServer:m pid=1) (EngineCore_DP0 pid=2) INFO 03-04 10:00:15 [core.py:1] Initializing a V1 LLM engine (v0.11.0) with config: model='m', tensor_parallel_size=4, enforce_eager=False
(RayWorkerWrapper pid=10) INFO 03-04 10:00:30 [gpu_model_runner.py:1] Starting to load model m...
(RayWorkerWrapper pid=10) INFO 03-04 10:00:31 [weight_utils.py:1] Using model weights format ['*.safetensors']
(RayWorkerWrapper pid=12) INFO 03-04 10:00:30 [gpu_model_runner.py:1] Starting to load model m...[repeated 3x across cluster]
(RayWorkerWrapper pid=10) INFO 03-04 10:01:31 [weight_utils.py:1] Time spent downloading weights for m: 60.0123 seconds
(RayWorkerWrapper pid=10) INFO 03-04 10:01:50 [default_loader.py:1] Loading weights took 18.2 seconds
(RayWorkerWrapper pid=10) INFO 03-04 10:01:51 [gpu_model_runner.py:1] Model loading took 30.0 GiB and 80.1 seconds
(RayWorkerWrapper pid=11) INFO 03-04 10:02:03 [backends.py:1] Using cache directory: /c/rank_1_0/backbone for vLLM's torch.compile
(RayWorkerWrapper pid=11) INFO 03-04 10:01:52 [gpu_model_runner.py:1] Model loading took 30.0 GiB and 81.3 seconds [repeated 3x across cluster]
(RayWorkerWrapper pid=11) INFO 03-04 10:02:08 [backends.py:1] Directly load the compiled graph(s) for dynamic shape from the cache, took 4.1 s
(RayWorkerWrapper pid=12) INFO 03-04 10:02:04 [backends.py:1] Using cache directory: /c/rank_2_0/backbone for vLLM's torch.compile [repeated 3x across cluster]
(RayWorkerWrapper pid=10) INFO 03-04 10:02:10 [monitor.py:1] torch.compile takes 15.5 s in total
(RayWorkerWrapper pid=13) INFO 03-04 10:02:13 [gpu_worker.py:1] Available KV cache memory: 35.7 GiB
(ServeReplica:default:LLMServer:m pid=1) (EngineCore_DP0 pid=2) (RayWorkerWrapper pid=10) INFO 03-04 10:00:30 [gpu_model_runner.py:1] Starting to load model m...
(ServeReplica:default:LLMServer:m pid=1) (EngineCore_DP0 pid=2) (RayWorkerWrapper pid=10) INFO 03-04 10:02:10 [monitor.py:1] torch.compile takes 15.5 s in total
(ServeReplica:default:LLMServer:m pid=1) (EngineCore_DP0 pid=2) INFO 03-04 10:02:14 [kv_cache_utils.py:1] GPU KV cache size: 400,000 tokens
(RayWorkerWrapper pid=11) INFO 03-04 10:02:11 [monitor.py:1] torch.compile takes 16.1 s in total [repeated 3x across cluster]
(RayWorkerWrapper pid=11) INFO 03-04 10:02:04 [backends.py:1] Using cache directory: /c/rank_1_0/backbone for vLLM's torch.compile
(RayWorkerWrapper pid=10) INFO 03-04 10:02:31 [gpu_model_runner.py:1] Graph capturing finished in 16 secs, took 1.0 GiB
(ServeReplica:default:LLMServer:m pid=1) (EngineCore_DP0 pid=2) INFO 03-04 10:02:31 [core.py:1] init engine (profile, create kv cache, warmup model) took 38.1 seconds
(ServeReplica:default:LLMServer:m pid=1) INFO 03-04 10:02:32 [api_server.py:1] Supported tasks: ['generate']
`
	tl := readLog(t, log)
	require.Equal(t, "preload 8, engine_config 1, start_workers 21, load_weights 1, download 60, load_weights 20, compile 19, "+
		"profile_memory 3, kv_cache 2, capture_graphs 16, start_server 1, ready", stagesOf(tl))
	require.True(t, strings.HasPrefix(says(t, tl, lifecycle.StageCompile), "cache hit; "))
}

// Ranks that write for themselves go from compiling to profiling each at its own time.
func TestRanksInterleave(t *testing.T) {
	t.Parallel()
	const log = `(APIServer pid=1) INFO 03-04 10:00:00 [model.py:1] Using max model len 4096
(EngineCore_DP0 pid=2) INFO 03-04 10:00:05 [core.py:1] Initializing a V1 LLM engine (v0.10.2) with config: enforce_eager=False
(VllmWorker TP0 pid=3) INFO 03-04 10:00:10 [gpu_model_runner.py:1] Starting to load model m...
(VllmWorker TP1 pid=4) INFO 03-04 10:00:10 [gpu_model_runner.py:1] Starting to load model m...
(VllmWorker TP0 pid=3) INFO 03-04 10:00:15 [gpu_model_runner.py:1] Model loading took 2 GiB and 5.0 seconds
(VllmWorker TP1 pid=4) INFO 03-04 10:00:25 [gpu_model_runner.py:1] Model loading took 2 GiB and 15.0 seconds
(VllmWorker TP0 pid=3) INFO 03-04 10:00:27 [backends.py:1] Using cache directory: /c/0 for vLLM's torch.compile
(VllmWorker TP1 pid=4) INFO 03-04 10:00:28 [backends.py:1] Using cache directory: /c/1 for vLLM's torch.compile
(VllmWorker TP0 pid=3) INFO 03-04 10:00:40 [monitor.py:1] torch.compile takes 12.0 s in total
(VllmWorker TP0 pid=3) INFO 03-04 10:00:42 [gpu_worker.py:1] Available KV cache memory: 10 GiB
(VllmWorker TP1 pid=4) INFO 03-04 10:00:50 [monitor.py:1] torch.compile takes 22.0 s in total
(VllmWorker TP1 pid=4) INFO 03-04 10:00:53 [gpu_worker.py:1] Available KV cache memory: 10 GiB
(EngineCore_DP0 pid=2) INFO 03-04 10:00:54 [kv_cache_utils.py:1] GPU KV cache size: 1,000 tokens
(EngineCore_DP0 pid=2) INFO 03-04 10:00:56 [core.py:1] init engine (profile, create kv cache, warmup model) took 31 seconds
INFO:     Application startup complete.
`
	require.Equal(t, "preload 0, start_workers 10, load_weights 15, compile 25, profile_memory 3, kv_cache 3, start_server 0, ready",
		stagesOf(readLog(t, log)))
}

func TestVersionsBefore(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ log, want string }{
		"V0 on a GPU": {
			`INFO 03-01 10:00:00 __init__.py:207] Automatically detected platform cuda.
INFO 03-01 10:00:04 api_server.py:912] vLLM API server version 0.7.3
INFO 03-01 10:00:05 config.py:549] This model supports multiple tasks: {'generate', 'score'}. Defaulting to 'generate'.
INFO 03-01 10:00:10 llm_engine.py:234] Initializing a V0 LLM engine (v0.7.3) with config: model='m', enforce_eager=False
INFO 03-01 10:00:12 model_runner.py:1110] Starting to load model m...
INFO 03-01 10:00:20 model_runner.py:1115] Loading model weights took 12.55 GB
INFO 03-01 10:00:24 worker.py:267] Memory profiling takes 3.50 seconds
INFO 03-01 10:00:24 executor_base.py:111] # cuda blocks: 7191, # CPU blocks: 512
INFO 03-01 10:00:26 model_runner.py:1434] Capturing cudagraphs for decoding. This may lead to unexpected consequences if the model is not static.
Capturing CUDA graph shapes: 100%|██████████| 35/35 [00:17<00:00,  1.97it/s]
INFO 03-01 10:00:46 model_runner.py:1562] Graph capturing finished in 20 secs, took 0.20 GiB
INFO 03-01 10:00:46 llm_engine.py:436] init engine (profile, create kv cache, warmup model) took 26.1 seconds
INFO 03-01 10:00:47 api_server.py:958] Starting vLLM API server on http://0.0.0.0:8000
INFO:     Application startup complete.`,
			"preload 4, engine_config 1, start_workers 7, load_weights 8, profile_memory 4, kv_cache 2, capture_graphs 20, start_server 1, ready",
		},
		"V1 on a CPU, cache before compiling": {
			`(EngineCore_DP0 pid=2) INFO 10-28 10:00:00 [core.py:1] Initializing a V1 LLM engine (v0.11.1) with config: enforce_eager=False
(EngineCore_DP0 pid=2) INFO 10-28 10:00:03 [cpu_model_runner.py:1] Starting to load model m...
(EngineCore_DP0 pid=2) INFO 10-28 10:00:05 [default_loader.py:1] Loading weights took 1.11 seconds
(EngineCore_DP0 pid=2) INFO 10-28 10:00:06 [kv_cache_utils.py:1] GPU KV cache size: 116,480 tokens
(EngineCore_DP0 pid=2) INFO 10-28 10:00:07 [cpu_model_runner.py:1] Warming up model for the compilation...
(EngineCore_DP0 pid=2) INFO 10-28 10:00:19 [cpu_model_runner.py:1] Warming up done.
(EngineCore_DP0 pid=2) INFO 10-28 10:00:19 [core.py:1] init engine (profile, create kv cache, warmup model) took 16.0 seconds`,
			"preload 0, start_workers 3, load_weights 3, kv_cache 1, compile 12, start_server 0",
		},
		"eager": {
			`(EngineCore pid=2) INFO 10-28 10:00:00 [core.py:1] Initializing a V1 LLM engine (v0.20.0) with config: enforce_eager=True
(EngineCore pid=2) INFO 10-28 10:00:03 [gpu_model_runner.py:1] Starting to load model m...
(EngineCore pid=2) INFO 10-28 10:00:05 [gpu_model_runner.py:1] Model loading took 1 GiB memory and 2.0 seconds
(EngineCore pid=2) INFO 10-28 10:00:09 [gpu_worker.py:1] Available KV cache memory: 10 GiB
(EngineCore pid=2) INFO 10-28 10:00:09 [kv_cache_utils.py:1] GPU KV cache size: 10 tokens
(EngineCore pid=2) INFO 10-28 10:00:10 [core.py:1] init engine (profile, create kv cache, warmup model) took 5 s`,
			"preload 0, start_workers 3, load_weights 2, profile_memory 4, kv_cache 1, start_server 0",
		},
		"two parts are compiled": {
			`(EngineCore pid=2) INFO 10-28 10:00:00 [core.py:1] Initializing a V1 LLM engine (v0.20.0) with config: enforce_eager=False
(EngineCore pid=2) INFO 10-28 10:00:03 [gpu_model_runner.py:1] Starting to load model m...
(EngineCore pid=2) INFO 10-28 10:00:05 [gpu_model_runner.py:1] Model loading took 1 GiB memory and 2.0 seconds
(EngineCore pid=2) INFO 10-28 10:00:05 [monitor.py:1] [backbone] Starting torch.compile
(EngineCore pid=2) INFO 10-28 10:00:15 [monitor.py:1] [backbone] torch.compile took 10.0 s in total
(EngineCore pid=2) INFO 10-28 10:00:15 [monitor.py:1] [eagle_head] Starting torch.compile
(EngineCore pid=2) INFO 10-28 10:00:22 [monitor.py:1] [eagle_head] torch.compile took 7.0 s in total
(EngineCore pid=2) INFO 10-28 10:00:24 [monitor.py:1] Initial profiling/warmup run took 1.90 s
(EngineCore pid=2) INFO 10-28 10:00:25 [gpu_worker.py:1] Available KV cache memory: 10 GiB
(EngineCore pid=2) INFO 10-28 10:00:26 [core.py:1] init engine (profile, create kv cache, warmup model) took 21 s (compilation: 17.0 s)`,
			"preload 0, start_workers 3, load_weights 2, compile 10, compile 7, profile_memory 3, kv_cache 1, start_server 0",
		},
		"an encoder is profiled first": {
			`(EngineCore_DP0 pid=2) INFO 09-25 10:00:00 [core.py:1] Initializing a V1 LLM engine (v0.10.2) with config: enforce_eager=False
(EngineCore_DP0 pid=2) INFO 09-25 10:00:05 [gpu_model_runner.py:1] Starting to load model m...
(EngineCore_DP0 pid=2) INFO 09-25 10:00:35 [gpu_model_runner.py:1] Model loading took 51 GiB and 29.9 seconds
(EngineCore_DP0 pid=2) INFO 09-25 10:00:35 [gpu_model_runner.py:1] Encoder cache will be initialized with a budget of 8192 tokens, and profiled with 31 image items of the maximum feature size.
(EngineCore_DP0 pid=2) INFO 09-25 10:01:02 [monitor.py:1] Starting torch.compile
(EngineCore_DP0 pid=2) INFO 09-25 10:01:10 [backends.py:1] Dynamo bytecode transform time: 8.49 s
(EngineCore_DP0 pid=2) INFO 09-25 10:01:40 [monitor.py:1] torch.compile and initial profiling/warmup run together took 38.0 s in total
(EngineCore_DP0 pid=2) INFO 09-25 10:01:45 [gpu_worker.py:1] Available KV cache memory: 10 GiB
(EngineCore_DP0 pid=2) INFO 09-25 10:01:46 [core.py:1] init engine (profile, create kv cache, warmup model) took 71 s`,
			"preload 0, start_workers 5, load_weights 30, profile_memory 27, compile 38, profile_memory 5, kv_cache 1, start_server 0",
		},
	} {
		tl := readLog(t, c.log)
		got := strings.TrimSuffix(stagesOf(tl), " 0, ready")
		require.Equal(t, strings.TrimSuffix(c.want, " 0"), strings.TrimSuffix(got, " 0"), name)
	}
}

func TestNewYearsEve(t *testing.T) {
	t.Parallel()
	const log = `(EngineCore pid=2) INFO 12-31 23:59:50 [core.py:1] Initializing a V1 LLM engine (v0.20.0) with config:
(EngineCore pid=2) INFO 01-01 00:00:05 [gpu_model_runner.py:1] Starting to load model m...
(EngineCore pid=2) INFO 01-01 00:00:09 [core.py:1] init engine (profile, create kv cache, warmup model) took 4 s
(APIServer pid=1) INFO 01-01 00:00:11 [api_server.py:1] Supported tasks: ['generate']`
	require.Equal(t, "preload 0, start_workers 15, load_weights 4, start_server 2, ready", stagesOf(readLog(t, log)))
}

func TestReadLogOfNothing(t *testing.T) {
	t.Parallel()
	require.Empty(t, stagesOf(readLog(t, "")))
	require.Empty(t, stagesOf(readLog(t, "some text\nwithout a stamp\n")))
}

// live feeds a parser as a supervisor does and returns the stages that it opened.
func live(t *testing.T, text string) (opened []string, progress map[string]lifecycle.Event) {
	t.Helper()
	p := vllm.Engine{}.NewParser(engine.Spec{})
	progress = map[string]lifecycle.Event{}
	for _, line := range bytes.FieldsFunc([]byte(text), func(r rune) bool { return r == '\n' || r == '\r' }) {
		for _, e := range p.Parse(line) {
			require.True(t, e.Time.IsZero())
			if e.Phase == lifecycle.Begin {
				opened = append(opened, string(e.Stage))
			} else if e.Total > 0 {
				progress[string(e.Stage)] = e
			}
		}
	}
	return opened, progress
}

func TestLiveStages(t *testing.T) {
	t.Parallel()
	opened, progress := live(t, gpuStart)
	require.Equal(t, []string{
		"engine_config", "start_workers", "load_weights", "compile", "profile_memory", "kv_cache", "capture_graphs", "start_server",
	}, opened)
	require.EqualValues(t, 2, progress["load_weights"].Done)
	require.EqualValues(t, 2, progress["load_weights"].Total)
	require.EqualValues(t, 67, progress["capture_graphs"].Total)
}

// A stage that may be silent for minutes is opened by the end of the one before.
func TestSilentStagesAreForeseen(t *testing.T) {
	t.Parallel()
	upTo, _, _ := strings.Cut(gpuStart, "(EngineCore_DP0 pid=2) INFO 03-04 10:00:38")
	opened, _ := live(t, upTo)
	require.Equal(t, "compile", opened[len(opened)-1])
}

func FuzzParse(f *testing.F) {
	for line := range strings.SplitSeq(gpuStart, "\n") {
		f.Add(line)
	}
	f.Add("(a pid=1) [repeated 99999999999999999999x across cluster]")
	f.Add("W1123 17:10:08.746000 1 torch/x.py:29] triton not found")
	f.Add("(W pid=1) ERROR 01-01 00:00:00 [a.py:1] ValueError: x")
	f.Add("1 validation error for X\n  Value error, y")
	f.Fuzz(func(t *testing.T, text string) {
		p := vllm.Engine{}.NewParser(engine.Spec{Env: lifecycle.EnvVars{"A": "secretsecret"}})
		for line := range strings.Lines(text) {
			for _, e := range p.Parse([]byte(line)) {
				require.NotEmpty(t, e.Stage)
				require.NotZero(t, e.Phase)
			}
		}
		e := p.Explain(1)
		require.NotNil(t, e)
		require.NotEmpty(t, e.Hint)
		require.NotEqual(t, lifecycle.Unknown, e.Kind)
		require.NotContains(t, e.Error(), "secretsecret")
		_, err := vllm.ReadLog(strings.NewReader(text))
		require.NoError(t, err)
	})
}
