package vllm_test

import (
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/engine/vllm"
	"github.com/spinup-llm/spinup/internal/randmodel"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

// kvOfUnknownModels depends on the machine's memory.
var kvOfUnknownModels = regexp.MustCompile(` --kv-cache-memory-bytes \d+`)

func TestCommandLine(t *testing.T) {
	t.Parallel()
	e := installation(t)
	for name, c := range map[string]struct {
		kwargs map[string]any
		want   string // after the address, before what the driver adds
	}{
		"none": {nil, ""},
		"scalars": {
			map[string]any{"max_model_len": 8192, "gpu_memory_utilization": 0.9, "dtype": "bfloat16", "tensor_parallel_size": 2.0},
			"--dtype bfloat16 --gpu-memory-utilization 0.9 --max-model-len 8192 --tensor-parallel-size 2",
		},
		"booleans both ways": {
			map[string]any{"enforce_eager": true, "enable_prefix_caching": false},
			"--no-enable-prefix-caching --enforce-eager",
		},
		"a switch has no negation":    {map[string]any{"log_stats": false}, ""},
		"a switch that is on":         {map[string]any{"log_stats": true}, "--log-stats"},
		"nil is left out":             {map[string]any{"revision": nil, "seed": (*int)(nil)}, ""},
		"a value may begin with dash": {map[string]any{"max_model_len": -1}, "--max-model-len=-1"},
		"nested maps as JSON": {
			map[string]any{"hf_overrides": map[string]any{"rope": map[string]any{"factor": 2}}, "model_loader_extra_config": map[string]any{"num_threads": 4}},
			`--hf-overrides {"rope":{"factor":2}} --model-loader-extra-config {"num_threads":4}`,
		},
		"typed values": {map[string]any{"model_loader_extra_config": struct {
			Threads int `json:"num_threads"`
		}{4}}, `--model-loader-extra-config {"num_threads":4}`},
		"lists": {
			map[string]any{"cudagraph_capture_sizes": []any{1, 2, 4}, "allowed_media_domains": []string{"a.org", "b.org"}, "cpu_offload_params": []any{}},
			"--allowed-media-domains a.org b.org --cudagraph-capture-sizes 1 2 4",
		},
		"lists of maps":      {map[string]any{"lora_modules": []any{map[string]any{"name": "a"}}}, `--lora-modules {"name":"a"}`},
		"repeated option":    {map[string]any{"middleware": []any{"a.B", "c.D"}}, "--middleware a.B --middleware c.D"},
		"list as JSON":       {map[string]any{"allowed_origins": []any{"*"}}, `--allowed-origins ["*"]`},
		"list with commas":   {map[string]any{"device_ids": []any{0, 3}}, "--device-ids 0,3"},
		"optional value":     {map[string]any{"hf_token": true}, "--hf-token"},
		"Ray's own executor": {map[string]any{"distributed_executor_backend": "ray"}, ""},
		"executor":           {map[string]any{"distributed_executor_backend": "mp"}, "--distributed-executor-backend mp"},
		"shutdown of the user's choice": {
			map[string]any{"shutdown_timeout": 3}, "--shutdown-timeout 3",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd, err := e.Command(engine.Spec{ModelID: "org/m", Dir: "/models/m", Addr: "127.0.0.1:8001", Kwargs: c.kwargs})
			require.NoError(t, err)
			args := strings.Join(cmd.Args, " ")
			rest, ok := strings.CutPrefix(args, "serve /models/m --served-model-name org/m --host 127.0.0.1 --port 8001")
			require.True(t, ok, args)
			rest = strings.TrimSuffix(rest, " --disable-access-log-for-endpoints /health,/metrics")
			if c.kwargs["shutdown_timeout"] == nil {
				rest = strings.TrimSuffix(rest, " --shutdown-timeout 25")
			}
			rest = kvOfUnknownModels.ReplaceAllString(rest, "")
			require.Equal(t, c.want, strings.TrimSpace(rest))
		})
	}
}

func TestCommandLineRefuses(t *testing.T) {
	t.Parallel()
	e := installation(t)
	for name, c := range map[string]struct {
		kwargs      map[string]any
		target, say string
	}{
		"misspelt":         {map[string]any{"max_model_length": 1}, "engine_kwargs.max_model_length", `did you mean "max_model_len"?`},
		"dashes":           {map[string]any{"enforce-eager": true}, "engine_kwargs.enforce-eager", `"enforce_eager"`},
		"unknown":          {map[string]any{"zzz": 1}, "engine_kwargs.zzz", "--help=all"},
		"set by us":        {map[string]any{"port": 1}, "engine_kwargs.port", "the host chooses"},
		"model":            {map[string]any{"model": "x"}, "engine_kwargs.model", "model_source"},
		"text for boolean": {map[string]any{"enforce_eager": "yes"}, "engine_kwargs.enforce_eager", "without quotes"},
		"boolean for text": {map[string]any{"dtype": true}, "engine_kwargs.dtype", "takes a value"},
		"no JSON":          {map[string]any{"hf_overrides": func() {}}, "engine_kwargs.hf_overrides", "number, a string"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := e.Command(engine.Spec{ModelID: "m", Dir: "/m", Addr: "127.0.0.1:8001", Kwargs: c.kwargs})
			require.ErrorIs(t, err, lifecycle.Invalid)
			require.ErrorContains(t, err, c.say)
			require.ErrorContains(t, err, c.target)
		})
	}
}

func TestUnknownInstallationTakesAnyName(t *testing.T) {
	t.Parallel()
	e := emptyInstallation(t)
	spec := engine.Spec{ModelID: "m", Dir: "/m", Addr: "127.0.0.1:8001", Kwargs: map[string]any{
		"brand_new": 1, "flag": false, "many": []any{1, 2}, "deep": map[string]any{"a": true},
	}}
	cmd, err := e.Command(spec)
	require.NoError(t, err)
	require.Equal(t, []string{
		"serve", "/m", "--served-model-name", "m", "--host", "127.0.0.1", "--port", "8001",
		"--brand-new", "1", "--deep", `{"a":true}`, "--no-flag", "--many", "1", "2",
	}, cmd.Args)
	events := e.NewParser(spec).Parse([]byte("anything"))
	require.Len(t, events, 1)
	require.Contains(t, events[0].Message, "unchecked")
}

func TestWhatIsServed(t *testing.T) {
	t.Parallel()
	e := installation(t)
	bucket := &url.URL{Scheme: "s3", Host: "bucket", Path: "/llama"}
	public := &url.URL{Scheme: "s3", User: url.User("anonymous"), Host: "bucket", Path: "/100% llama"}
	for want, spec := range map[string]engine.Spec{
		"/models/m":              {Dir: "/models/m"},
		"s3://bucket/llama":      {Dir: "/models/m", Weights: bucket},
		"s3://bucket/100% llama": {Dir: "/models/m", Weights: public},
		"org/name":               {ModelID: "org/name"},
	} {
		spec.Addr = "127.0.0.1:1"
		cmd, err := e.Command(spec)
		require.NoError(t, err)
		require.Equal(t, want, cmd.Args[1])
	}
}

// An engine that reads a bucket gets what its three clients need, from env_vars or the
// process; another one gets nothing of it.
func TestEnvironmentOfABucket(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "of the host")
	t.Setenv("AWS_ACCESS_KEY_ID", "of the host")
	t.Setenv("RUNAI_STREAMER_CONCURRENCY", "4")
	e := installation(t)
	env := func(weights *url.URL, vars lifecycle.EnvVars) lifecycle.EnvVars {
		cmd, err := e.Command(engine.Spec{ModelID: "m", Dir: "/m", Weights: weights, Addr: "127.0.0.1:1", Env: vars})
		require.NoError(t, err)
		return cmd.Env
	}
	own := lifecycle.EnvVars{"AWS_ACCESS_KEY_ID": "id", "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9", "AWS_REGION": "eu-west-1"}
	got := env(&url.URL{Scheme: "s3", Host: "b", Path: "/m"}, own)
	for key, want := range map[string]string{
		"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "of the host", "RUNAI_STREAMER_CONCURRENCY": "4",
		"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "RUNAI_STREAMER_S3_ENDPOINT": "http://127.0.0.1:9",
		"RUNAI_STREAMER_S3_USE_VIRTUAL_ADDRESSING": "0", "RUNAI_STREAMER_S3_UNSIGNED": "",
		"AWS_DEFAULT_REGION": "eu-west-1",
	} {
		require.Equal(t, want, got[key], key)
	}
	got = env(&url.URL{Scheme: "s3", User: url.User("anonymous"), Host: "b", Path: "/m"}, nil)
	require.Equal(t, "1", got["RUNAI_STREAMER_S3_UNSIGNED"])
	require.Empty(t, got["RUNAI_STREAMER_S3_USE_VIRTUAL_ADDRESSING"], "AWS itself is asked by host")
	got = env(&url.URL{Scheme: "gs", User: url.User("anonymous"), Host: "b", Path: "/m"}, nil)
	require.Equal(t, "true", got["RUNAI_STREAMER_GCS_USE_ANONYMOUS_CREDENTIALS"])
	require.NotContains(t, got, "AWS_SECRET_ACCESS_KEY")
	for key := range env(nil, nil) {
		require.False(t, strings.HasPrefix(key, "AWS_SECRET") || strings.HasPrefix(key, "RUNAI_"), key)
	}
}

// What an engine reads from its host it reads with the store's keys; those of the origin, and
// the files with more, stay with the host. The process that waits for its model has none.
func TestEnvironmentOfAStore(t *testing.T) {
	t.Setenv("AWS_SESSION_TOKEN", "of the host")
	t.Setenv("AWS_PROFILE", "of the host")
	t.Setenv("RUNAI_STREAMER_S3_UNSIGNED", "1")
	t.Setenv("RUNAI_STREAMER_CONCURRENCY", "4")
	t.Setenv("HTTP_PROXY", "http://proxy:1")
	e := installation(t, map[string]string{"vllm/_version.py": "__version__ = version = '0.32.0'\n"})
	spec := engine.Spec{ModelID: "m", Addr: "127.0.0.1:1", Env: lifecycle.EnvVars{
		"AWS_ACCESS_KEY_ID": "origin", "AWS_SECRET_ACCESS_KEY": "origin", "AWS_ENDPOINT_URL": "https://origin", "MINE": "x",
	}}
	early, err := e.Preload(spec)
	require.NoError(t, err)
	spec.Dir, spec.Weights = "/m", &url.URL{Scheme: "s3", Host: "spinup", Path: "/m"}
	spec.Store = &engine.Store{Endpoint: &url.URL{Scheme: "http", Host: "127.0.0.1:9"}, AccessKey: "key", SecretKey: "secret"}
	cmd, err := e.Command(spec)
	require.NoError(t, err)
	require.Equal(t, "s3://spinup/m", cmd.Args[1])
	for name, want := range map[string]string{
		"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "RUNAI_STREAMER_S3_ENDPOINT": "http://127.0.0.1:9",
		"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "RUNAI_STREAMER_CONCURRENCY": "4", "MINE": "x",
		"AWS_CONFIG_FILE": os.DevNull, "no_proxy": "127.0.0.1",
	} {
		require.Equal(t, want, cmd.Env[name], name)
	}
	for _, env := range []lifecycle.EnvVars{cmd.Env, early.Env} {
		for name, value := range env {
			require.NotContains(t, []string{"origin", "of the host", "https://origin"}, value, name)
		}
	}
	require.Equal(t, "x", early.Env["MINE"])
	_, err = e.Become(early, cmd)
	require.NoError(t, err)
	spec.Kwargs = map[string]any{"load_format": "runai_streamer"}
	require.NoError(t, e.ReadsStore(spec))
	spec.Kwargs = map[string]any{"load_format": "auto"}
	require.ErrorIs(t, e.ReadsStore(spec), lifecycle.Invalid)
}

func TestEnvironmentIsComplete(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "http://proxy:1")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "of the host")
	t.Setenv("PYTHONDONTWRITEBYTECODE", "1")
	e := installation(t)
	cmd, err := e.Command(engine.Spec{
		ModelID: "m", Dir: "/models/m", Addr: "127.0.0.1:1", Devices: []string{"2", "3"},
		Env:    lifecycle.EnvVars{"DO_NOT_TRACK": "0", "MINE": "x"},
		Kwargs: map[string]any{"hf_token": "hf_secretsecret"},
	})
	require.NoError(t, err)
	require.Equal(t, "http://proxy:1", cmd.Env["HTTPS_PROXY"])
	require.Equal(t, "2,3", cmd.Env["CUDA_VISIBLE_DEVICES"])
	require.Equal(t, "0", cmd.Env["DO_NOT_TRACK"], "env_vars win")
	require.Equal(t, "x", cmd.Env["MINE"])
	require.Equal(t, "1", cmd.Env["HF_HUB_OFFLINE"])
	require.Equal(t, "hf_secretsecret", cmd.Env["HF_TOKEN"])
	require.NotContains(t, strings.Join(cmd.Args, " "), "hf_secret")
	require.True(t, strings.HasPrefix(cmd.Env["PATH"], filepath.Dir(e.Path)), "tools beside the program are found")
	for _, name := range []string{"AWS_SECRET_ACCESS_KEY", "PYTHONDONTWRITEBYTECODE", "VLLM_CPU_KVCACHE_SPACE", "OMP_NUM_THREADS"} {
		require.NotContains(t, cmd.Env, name)
	}
}

func TestEnvironmentOnTheCPU(t *testing.T) {
	t.Parallel()
	e := installation(t)
	dir := model(t, randmodel.Options{})
	for name, c := range map[string]struct {
		spec engine.Spec
		want map[string]string
		not  []string
	}{
		"own cores": {
			engine.Spec{CPUs: []int{2, 3}},
			map[string]string{"VLLM_CPU_OMP_THREADS_BIND": "2,3"},
			[]string{"OMP_NUM_THREADS", "VLLM_CACHE_ROOT", "VLLM_CPU_KVCACHE_SPACE"},
		},
		"cores of two ranks": {
			engine.Spec{CPUs: []int{0, 1, 4, 5}, Kwargs: map[string]any{"tensor_parallel_size": 2}},
			map[string]string{"VLLM_CPU_OMP_THREADS_BIND": "0,1|4,5"},
			nil,
		},
		"fewer cores than ranks": {
			engine.Spec{CPUs: []int{7}, Kwargs: map[string]any{"tensor_parallel_size": 2}},
			map[string]string{"VLLM_CPU_OMP_THREADS_BIND": "nobind", "OMP_NUM_THREADS": "1"},
			nil,
		},
		"the user's own": {
			engine.Spec{Env: lifecycle.EnvVars{"VLLM_CPU_OMP_THREADS_BIND": "auto", "VLLM_CPU_KVCACHE_SPACE": "9"}},
			map[string]string{"VLLM_CPU_OMP_THREADS_BIND": "auto", "VLLM_CPU_KVCACHE_SPACE": "9"},
			nil,
		},
		"KV cache by option": {
			engine.Spec{Kwargs: map[string]any{"kv_cache_memory_bytes": 1 << 30}},
			map[string]string{"VLLM_CPU_OMP_THREADS_BIND": "nobind"},
			[]string{"VLLM_CPU_KVCACHE_SPACE"},
		},
		"compile cache": {
			engine.Spec{Kwargs: map[string]any{"compilation_config": map[string]any{"cache_dir": "/c"}}},
			map[string]string{"VLLM_CACHE_ROOT": "/c", "TORCHINDUCTOR_CACHE_DIR": "/c/inductor", "VLLM_USE_AOT_COMPILE": "0"},
			nil,
		},
		"tokenizer of the hub": {
			engine.Spec{Kwargs: map[string]any{"tokenizer": "org/other"}},
			map[string]string{"VLLM_NO_USAGE_STATS": "1"},
			[]string{"HF_HUB_OFFLINE"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.spec.ModelID, c.spec.Dir, c.spec.Addr = "m", dir, "127.0.0.1:1"
			cmd, err := e.Command(c.spec)
			require.NoError(t, err)
			for k, v := range c.want {
				require.Equal(t, v, cmd.Env[k], k)
			}
			for _, k := range c.not {
				require.NotContains(t, cmd.Env, k)
			}
			require.NotContains(t, strings.Join(cmd.Args, " "), "cache_dir")
		})
	}
}

func TestSleepIsPrepared(t *testing.T) {
	t.Parallel()
	e := installation(t)
	spec := engine.Spec{ModelID: "m", Dir: model(t, randmodel.Options{}), Addr: "127.0.0.1:1", Devices: []string{"0"}, Sleeps: true}
	cmd, err := e.Command(spec)
	require.NoError(t, err)
	require.Contains(t, cmd.Args, "--enable-sleep-mode")
	require.Equal(t, "1", cmd.Env["VLLM_SERVER_DEV_MODE"])
	require.Equal(t, "/sleep?level=1", e.SleepPath())
	require.Equal(t, "/wake_up", e.WakePath())
	spec.Sleeps = false
	cmd, err = e.Command(spec)
	require.NoError(t, err)
	require.NotContains(t, cmd.Args, "--enable-sleep-mode")
	require.NotContains(t, cmd.Env, "VLLM_SERVER_DEV_MODE")
}

// The KV cache on the CPU has room for four requests of the longest length, and is told in
// whatever way the version knows.
func TestKVCacheOnTheCPU(t *testing.T) {
	t.Parallel()
	dir := model(t, randmodel.Options{Hidden: 1024}) // 2 KiB per token
	spec := engine.Spec{ModelID: "m", Dir: dir, Addr: "127.0.0.1:1", Kwargs: map[string]any{"max_model_len": 65536}}
	args := func(e vllm.Engine) (string, lifecycle.EnvVars) {
		cmd, err := e.Command(spec)
		require.NoError(t, err)
		return strings.Join(cmd.Args, " "), cmd.Env
	}
	line, env := args(installation(t))
	require.Contains(t, line, "--kv-cache-memory-bytes 536870912")
	require.NotContains(t, env, "VLLM_CPU_KVCACHE_SPACE")
	line, env = args(emptyInstallation(t))
	require.NotContains(t, line, "kv-cache")
	require.Equal(t, "1", env["VLLM_CPU_KVCACHE_SPACE"], "GiB")

	spec.Kwargs = map[string]any{"max_model_len": 16}
	line, _ = args(installation(t))
	require.Contains(t, line, "--kv-cache-memory-bytes 268435456", "room for short requests, too")
	spec.Env = lifecycle.EnvVars{"VLLM_CPU_KVCACHE_SPACE": "2"}
	line, env = args(installation(t))
	require.NotContains(t, line, "kv-cache", "the user has said it")
	require.Equal(t, "2", env["VLLM_CPU_KVCACHE_SPACE"])
	spec.Env, spec.Devices = nil, []string{"0"}
	line, _ = args(installation(t))
	require.NotContains(t, line, "kv-cache", "vLLM profiles a GPU")
}

func TestTraceIsAskedFor(t *testing.T) {
	t.Parallel()
	endpoint, err := url.Parse("http://127.0.0.1:4318/secret/v1/traces")
	require.NoError(t, err)
	e := installation(t)
	for name, c := range map[string]struct {
		trace  engine.Trace
		kwargs map[string]any
		env    lifecycle.EnvVars
		asked  bool
	}{
		"asked":                       {trace: engine.Trace{Traceparent: "00-a-b-01", Endpoint: endpoint}, asked: true},
		"not asked":                   {},
		"the user's option":           {trace: engine.Trace{Endpoint: endpoint}, kwargs: map[string]any{"otlp_traces_endpoint": "grpc://collector"}},
		"the user's variable":         {trace: engine.Trace{Endpoint: endpoint}, env: lifecycle.EnvVars{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector"}},
		"the user's variable for all": {trace: engine.Trace{Endpoint: endpoint}, env: lifecycle.EnvVars{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector"}},
	} {
		cmd, err := e.Command(engine.Spec{ModelID: "m", Dir: "/m", Addr: "127.0.0.1:1", Trace: c.trace, Kwargs: c.kwargs, Env: c.env})
		require.NoError(t, err)
		require.NotContains(t, strings.Join(cmd.Args, " "), "secret", "every user can read arguments")
		if !c.asked {
			require.NotContains(t, cmd.Env, "TRACEPARENT", name)
			require.NotContains(t, cmd.Env, "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", name)
			continue
		}
		require.Equal(t, c.trace.Traceparent, cmd.Env["TRACEPARENT"])
		require.Equal(t, endpoint.String(), cmd.Env["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"])
		require.Equal(t, "http/protobuf", cmd.Env["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"])
	}
}

func TestSpansBypassAProxy(t *testing.T) {
	t.Setenv("http_proxy", "")
	t.Setenv("no_proxy", "")
	for _, c := range [][3]string{ // of the host: proxy, exceptions; of the engine: exceptions
		{"", "", ""},
		{"http://proxy:3128", "", "127.0.0.1"},
		{"http://proxy:3128", ".corp,10.0.0.1", ".corp,10.0.0.1,127.0.0.1"},
		{"http://proxy:3128", "*", ""},
	} {
		t.Setenv("HTTP_PROXY", c[0])
		t.Setenv("NO_PROXY", c[1])
		cmd, err := installation(t).Command(engine.Spec{
			ModelID: "m", Dir: "/m", Addr: "127.0.0.1:1", Trace: engine.Trace{Endpoint: &url.URL{Scheme: "http", Host: "127.0.0.1:4318"}},
		})
		require.NoError(t, err)
		require.Equal(t, c[2], cmd.Env["no_proxy"])
	}
}

func TestWarmup(t *testing.T) {
	t.Parallel()
	e := installation(t)
	for name, c := range map[string]struct {
		config string
		kwargs map[string]any
		path   string // "" means none
	}{
		"language model":   {`{"architectures":["LlamaForCausalLM"]}`, nil, "/v1/completions"},
		"embedding model":  {`{"architectures":["BertModel"]}`, nil, "/v1/embeddings"},
		"as embeddings":    {`{"architectures":["LlamaForCausalLM"]}`, map[string]any{"runner": "pooling"}, "/v1/embeddings"},
		"classifier":       {`{"architectures":["LlamaForSequenceClassification"]}`, nil, ""},
		"speech":           {`{"architectures":["WhisperForConditionalGeneration"]}`, nil, ""},
		"without tokens":   {`{"architectures":["LlamaForCausalLM"]}`, map[string]any{"skip_tokenizer_init": true}, ""},
		"nothing is known": {`{}`, nil, "/v1/completions"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir, "config.json", c.config)
			cmd, err := e.Command(engine.Spec{ModelID: "my model", Dir: dir, Addr: "127.0.0.1:1", Kwargs: c.kwargs})
			require.NoError(t, err)
			if c.path == "" {
				require.Nil(t, cmd.Warmup)
				return
			}
			require.NotNil(t, cmd.Warmup)
			require.Equal(t, c.path, cmd.Warmup.Path)
			var body map[string]any
			require.NoError(t, json.Unmarshal(cmd.Warmup.Body, &body))
			require.Equal(t, "my model", body["model"])
		})
	}
}

func TestProgramIsFound(t *testing.T) {
	named, onPath := installation(t), installation(t)
	t.Setenv("PATH", filepath.Dir(onPath.Path))
	t.Setenv(vllm.PathVariable, "")
	spec := engine.Spec{ModelID: "m", Dir: "/m", Addr: "127.0.0.1:1"}
	cmd, err := vllm.Engine{}.Command(spec)
	require.NoError(t, err)
	require.Equal(t, onPath.Path, cmd.Path)

	t.Setenv(vllm.PathVariable, named.Path)
	cmd, err = vllm.Engine{}.Command(spec)
	require.NoError(t, err)
	require.Equal(t, named.Path, cmd.Path)

	cmd, err = onPath.Command(spec)
	require.NoError(t, err)
	require.Equal(t, onPath.Path, cmd.Path, "Path comes first")

	t.Setenv("PATH", t.TempDir())
	cmd, err = vllm.Engine{Path: "vllm-of-the-image"}.Command(spec)
	require.NoError(t, err)
	require.Equal(t, "vllm-of-the-image", cmd.Path)

	t.Setenv(vllm.PathVariable, "")
	_, err = vllm.Engine{}.Command(spec)
	require.ErrorIs(t, err, lifecycle.NotFound)
	require.ErrorContains(t, err, "pip install vllm")
}
