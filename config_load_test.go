package spinup_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/spinup-llm/spinup"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

// problems renders each error of err as "target: what (hint)".
func problems(err error) []string {
	var lines []string
	for e := range lifecycle.Errors(err) {
		line := e.Target + ": " + e.Err.Error()
		if e.Hint != "" {
			line += " (" + e.Hint + ")"
		}
		lines = append(lines, line)
	}
	return lines
}

func load(t *testing.T, text string) []spinup.Application {
	t.Helper()
	apps, err := spinup.Load("c.yaml", strings.NewReader(text))
	require.NoError(t, err)
	return apps
}

// bare is a valid LLMConfig to add to.
const bare = "model_loading_config: {model_id: m}\n"

func TestGuidesFilesLoadUnmodified(t *testing.T) {
	t.Parallel()
	f, err := os.Open("testdata/config/guide-s3.yaml")
	require.NoError(t, err)
	defer f.Close()
	apps, err := spinup.Load(f.Name(), f)
	require.NoError(t, err)
	require.Len(t, apps, 1)
	require.Equal(t, "llm_app", apps[0].Name)
	require.Equal(t, "/", apps[0].RoutePrefix)
	require.Equal(t, "ray.serve.llm:build_openai_app", apps[0].ImportPath)
	require.Empty(t, apps[0].Warnings)
	require.Equal(t, []*spinup.LLMConfig{{
		AcceleratorType: "A10G",
		EngineKwargs:    spinup.EngineOptions{MaxModelLen: 8192},
		ModelLoadingConfig: spinup.ModelLoadingConfig{
			ModelID:     "my_llama",
			ModelSource: spinup.From("s3://anonymous@air-example-data/rayllm-ossci/meta-Llama-3.2-1B-Instruct"),
		},
	}}, apps[0].Args.LLMConfigs)

	f, err = os.Open("testdata/config/guide-gcs.yaml")
	require.NoError(t, err)
	defer f.Close()
	apps, err = spinup.Load(f.Name(), f)
	require.NoError(t, err)
	require.Equal(t, "gs://my-gcs-bucket/path/to/model", apps[0].Args.LLMConfigs[0].ModelLoadingConfig.ModelSource.URI)
}

// Two typos give two errors, not a third one about what is missing because of them.
func TestTyposAreToldTogether(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/config/guide-s3.yaml")
	require.NoError(t, err)
	typos := strings.NewReplacer("accelerator_type:", "accelerator_typ:", "model_id:", "model_idd:").Replace(string(text))
	apps, err := spinup.Load("config.yaml", strings.NewReader(typos))
	require.Nil(t, apps)
	require.Equal(t, []string{
		"config.yaml:5:11 applications[0].args.llm_configs[0].accelerator_typ: unknown field (did you mean accelerator_type?)",
		"config.yaml:9:13 applications[0].args.llm_configs[0].model_loading_config.model_idd: unknown field (did you mean model_id?)",
	}, problems(err))
	for e := range lifecycle.Errors(err) {
		require.Equal(t, lifecycle.Invalid, e.Kind)
		require.Equal(t, "spinup.Load", e.Op)
	}
}

// Every field of Ray Serve LLM 2.60 has its place.
func TestEveryFieldLoads(t *testing.T) {
	t.Parallel()
	apps := load(t, `
proxy_location: EveryNode
http_options: {host: 0.0.0.0, port: 8000, request_timeout_s: 5}
grpc_options: {port: 9000}
logging_config: {log_level: DEBUG}
applications:
- name: one
  route_prefix: /one
  import_path: ray.serve.llm:build_openai_app
  runtime_env: {env_vars: {A: "1"}, working_dir: "https://x/y.zip"}
  deployments: []
  args:
    ingress_deployment_config: {num_replicas: 2}
    llm_configs:
    - model_loading_config:
        model_id: llama
        model_source:
          bucket_uri: s3://bucket/llama
          extra_files: [{bucket_uri: s3://bucket/extra, destination_path: /tmp/extra}]
        tokenizer_source: org/name
      llm_engine: vLLM
      engine_kwargs:
        load_format: runai_streamer
        tensor_parallel_size: 4
        pipeline_parallel_size: 2
        max_model_len: 8_192
        gpu_memory_utilization: .9
        enforce_eager: on
        compilation_config: {cache_dir: /cache, mode: 3}
        dtype: bfloat16
        limit: 1e3
      accelerator_type: A10
      accelerator_config: {kind: gpu}
      placement_group_config: {bundle_per_worker: {GPU: 1, CPU: 2, "accelerator_type:A10G": 0.001}, strategy: STRICT_PACK}
      lora_config: {dynamic_lora_loading_path: s3://bucket/lora, max_num_adapters_per_replica: 4, download_timeout_s: 30, max_download_tries: 2}
      deployment_config:
        autoscaling_config:
          min_replicas: 1
          initial_replicas: 2
          max_replicas: 4
          target_ongoing_requests: 8
          metrics_interval_s: 1.5
          look_back_period_s: 20
          upscale_delay_s: 0
          downscale_delay_s: 10:00
          downscale_to_zero_delay_s: 5
          upscaling_factor: 2
          downscaling_factor: 0.5
          aggregation_function: max
          smoothing_factor: 1.0
        num_replicas: auto
        max_ongoing_requests: 64
        health_check_period_s: 5
      runtime_env: {env_vars: {HF_TOKEN: hf_x}}
      server_cls: some.Class
      experimental_configs: {stream_batching_interval_ms: 0}
      log_engine_metrics: false
      callback_config:
        callback_class: CloudDownloader
        callback_kwargs: {paths: [[s3://bucket/cache, /cache]]}
        raise_error_on_callback: no
`)
	require.Len(t, apps, 1)
	app := apps[0]
	require.Equal(t, lifecycle.EnvVars{"A": "1"}, app.RuntimeEnv.EnvVars)
	cfg := app.Args.LLMConfigs[0]
	two, four, auto := 2, 4, spinup.Auto
	require.Equal(t, spinup.ModelLoadingConfig{
		ModelID: "llama", TokenizerSource: "org/name",
		ModelSource: spinup.ModelSource{URI: "s3://bucket/llama", ExtraFiles: []spinup.ExtraFile{{BucketURI: "s3://bucket/extra", DestinationPath: "/tmp/extra"}}},
	}, cfg.ModelLoadingConfig)
	require.Equal(t, map[string]any{
		"load_format": "runai_streamer", "tensor_parallel_size": four, "pipeline_parallel_size": two, "max_model_len": 8192,
		"gpu_memory_utilization": .9, "enforce_eager": true, "dtype": "bfloat16", "limit": "1e3",
		"compilation_config": map[string]any{"cache_dir": "/cache", "mode": 3},
	}, cfg.EngineKwargs.Kwargs())
	require.Equal(t, &auto, cfg.DeploymentConfig.NumReplicas)
	require.Equal(t, 64, cfg.DeploymentConfig.MaxOngoingRequests)
	a := cfg.DeploymentConfig.AutoscalingConfig
	require.Equal(t, 10*time.Minute, a.DownscaleDelay.Duration(), "10:00 is base 60")
	require.Zero(t, a.UpscaleDelay.Duration())
	require.InDelta(t, 1.5, a.MetricsInterval.Duration().Seconds(), 0)
	require.Equal(t, "max", a.AggregationFunction)
	require.Equal(t, lifecycle.EnvVars{"HF_TOKEN": "hf_x"}, cfg.RuntimeEnv.EnvVars)
	require.False(t, *cfg.LogEngineMetrics)
	require.False(t, *cfg.CallbackConfig.RaiseOnError)
	require.Equal(t, map[string]any{"paths": []any{[]any{"s3://bucket/cache", "/cache"}}}, cfg.CallbackConfig.Kwargs)
	require.Equal(t, 4, cfg.LoraConfig.MaxNumAdaptersPerReplica)

	for i, want := range []string{
		"c.yaml:2:1 proxy_location: it has no effect here",
		"c.yaml:3:1 http_options: it has no effect here",
		"c.yaml:4:1 grpc_options: ",
		"c.yaml:5:1 logging_config: ",
		"c.yaml:10:37 applications[0].runtime_env.working_dir: ",
		"c.yaml:11:3 applications[0].deployments: ",
		"c.yaml:13:5 applications[0].args.ingress_deployment_config: ",
		"c.yaml:33:7 applications[0].args.llm_configs[0].accelerator_config: ",
		"c.yaml:34:7 applications[0].args.llm_configs[0].placement_group_config: ",
		"c.yaml:50:11 applications[0].args.llm_configs[0].deployment_config.autoscaling_config.smoothing_factor: ",
		"c.yaml:53:9 applications[0].args.llm_configs[0].deployment_config.health_check_period_s: ",
		"c.yaml:55:7 applications[0].args.llm_configs[0].server_cls: ",
		"c.yaml:56:7 applications[0].args.llm_configs[0].experimental_configs: ",
		"c.yaml:57:7 applications[0].args.llm_configs[0].log_engine_metrics: ",
	} {
		require.Greater(t, len(app.Warnings), i)
		require.True(t, strings.HasPrefix(app.Warnings[i], want), "want %s\nhave %s", want, app.Warnings[i])
	}
	require.Len(t, app.Warnings, 14)
}

func TestLoadSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	app := func(fields string) string {
		return "applications:\n- " + fields + "\n  args: {llm_configs: [{model_loading_config: {model_id: m}}]}\n"
	}
	for text, want := range map[string][]string{
		"":                           {"c.yaml:1:1: the file is empty (give a YAML file with an LLMConfig or applications)"},
		"a: [":                       {"c.yaml:1:1: not YAML: did not find expected node content (give a YAML file with an LLMConfig or applications)"},
		"- 1":                        {"c.yaml:1:1: want a mapping, have a list (its fields are accelerator_config, "},
		"llm_engine: vLLM":           {"c.yaml:1:1 model_loading_config.model_id: a model_id is required (give the name that clients ask for)"},
		"model_loading_config: text": {"c.yaml:1:23 model_loading_config: want a mapping, have text (its fields are model_id, model_source, tokenizer_source)"},
		bare + "max_model_len: 1":    {"c.yaml:2:1 max_model_len: unknown field (max_model_len belongs to engine_kwargs)"},
		bare + "min_replicas: 1":     {"c.yaml:2:1 min_replicas: unknown field (min_replicas belongs to deployment_config.autoscaling_config)"},
		bare + "deployment_config: {autoscaling_confg: {}}":                   {"c.yaml:2:21 deployment_config.autoscaling_confg: unknown field (did you mean autoscaling_config?)"},
		bare + "deployment_config: {num_replicas: many}":                      {`c.yaml:2:35 deployment_config.num_replicas: want a count or "auto"`},
		bare + "deployment_config: {num_replicas: 0}":                         {`c.yaml:2:35 deployment_config.num_replicas: want a count of at least 1, or "auto"`},
		bare + "deployment_config: {num_replicas: 2, autoscaling_config: {}}": {"c.yaml:2:35 deployment_config.num_replicas: a fixed number and autoscaling_config exclude each other"},
		bare + "deployment_config: {autoscaling_config: {min_replicas: 3, max_replicas: 2, initial_replicas: 5, target_ongoing_requests: 0, upscale_delay_s: -1, aggregation_function: median}}": {
			"c.yaml:2:73 deployment_config.autoscaling_config.max_replicas: max_replicas (2) is less than min_replicas (3) (raise max_replicas)",
			"c.yaml:2:94 deployment_config.autoscaling_config.initial_replicas: initial_replicas (5) is more than max_replicas (2)",
			"c.yaml:2:122 deployment_config.autoscaling_config.target_ongoing_requests: want a number above 0",
			"c.yaml:2:142 deployment_config.autoscaling_config.upscale_delay_s: want a number of seconds, 0 or more",
			`c.yaml:2:168 deployment_config.autoscaling_config.aggregation_function: "median" is not known (did you mean mean?)`,
		},
		bare + "engine_kwargs: {tensor_parallel_size: 0, model: x, gpu_memory_utilization: 90}": {
			"c.yaml:2:39 engine_kwargs.tensor_parallel_size: want a whole number of at least 1",
			"c.yaml:2:49 engine_kwargs.model: model is not allowed in engine_kwargs (set model_id and model_source in model_loading_config instead)",
			"c.yaml:2:76 engine_kwargs.gpu_memory_utilization: want a number above 0 and up to 1",
		},
		bare + "accelerator_type: A10GG":                                               {`c.yaml:2:19 accelerator_type: "A10GG" is not known (did you mean A10G?)`},
		bare + "accelerator_type: h100":                                                {`c.yaml:2:19 accelerator_type: "h100" is not known (did you mean H100?)`},
		bare + "accelerator_type: H100\nplacement_group_config: {bundles: [{CPU: 1}]}": {"c.yaml:2:19 accelerator_type: an accelerator_type cannot be had from CPUs alone"},
		bare + "accelerator_type: TPU-V6E\naccelerator_config: {kind: gpu}":            {"c.yaml:2:19 accelerator_type: the type is one of TPUs, but GPUs are asked for"},
		bare + "accelerator_config: {kind: gpus, topologie: 2x2}": {
			`c.yaml:2:28 accelerator_config.kind: "gpus" is not known (did you mean gpu?)`,
		},
		bare + "placement_group_config: {strategy: PAK, bundle: []}": {
			`c.yaml:2:36 placement_group_config.strategy: "PAK" is not known (did you mean PACK?)`,
			"c.yaml:2:41 placement_group_config.bundle: unknown field",
		},
		bare + "placement_group_config: {bundles: [{GPU: one}, {CPU: -1}]}": {
			"c.yaml:2:42 placement_group_config.bundles[0].GPU: want a number, have text",
			"c.yaml:2:54 placement_group_config.bundles[1].CPU: want a number, 0 or more",
		},
		bare + "runtime_env: {env_vars: {A B: x, N: 1}, env_var: {}}": {
			`c.yaml:2:31 runtime_env.env_vars["A B"]: this is no name of an environment variable (write NAME: "value")`,
			"c.yaml:2:37 runtime_env.env_vars.N: want text, have a whole number (put it in quotes)",
			"c.yaml:2:41 runtime_env.env_var: unknown field (did you mean env_vars?)",
		},
		bare + "engine_kwargs: {max_model_len: auto}":           {"c.yaml:2:32 engine_kwargs.max_model_len: want a whole number, have text (give a whole number of tokens, such as 8192, or -1 for as many as fit; leave it out for the model's own)"},
		bare + "experimental_configs: {num_router_replicas: 2}": {"c.yaml:2:45 experimental_configs.num_router_replicas: the field was renamed (write num_ingress_replicas)"},
		bare + "engine_kwargs: {disable_log_stats: true}":       {"c.yaml:2:36 engine_kwargs.disable_log_stats: the engine's metrics need its statistics"},
		bare + "callback_config: {callback_class: CloudDownloader, callback_kwargs: {paths: [[http://x, /a], [s3://b, 5]], path: 1}}": {
			"c.yaml:2:79 callback_config.callback_kwargs.paths[0][0]: it is no URI of a bucket (begin it with one of s3://, gs://, abfss://, azure://)",
			"c.yaml:2:103 callback_config.callback_kwargs.paths[1][1]: want text, have a whole number (put it in quotes)",
			"c.yaml:2:108 callback_config.callback_kwargs.path: unknown field (did you mean paths?)",
		},
		bare + "callback_config: {callback_class: CloudDownloader}":                {`c.yaml:2:18 callback_config.callback_kwargs.paths: paths are required`},
		"model_loading_config: {model_id: m, model_source: s3:/bucket/x}":          {`c.yaml:1:51 model_loading_config.model_source: "s3:/bucket/x" looks like a URI without its two slashes (write s3://…)`},
		"model_loading_config: {model_id: m, model_source: {bucket_uri: s3:///x}}": {`c.yaml:1:64 model_loading_config.model_source.bucket_uri: "s3:///x" names no bucket (write s3://BUCKET/PREFIX)`},
		"model_loading_config: {model_id: my llama}":                               {"c.yaml:1:23 model_loading_config.model_source: without it the model_id is the source, and this one is no id of the hub"},
		"applications: []":    {"c.yaml:1:15 applications: there is none (give at least one)"},
		"aplications: []":     {"c.yaml:1:1 aplications: unknown field (did you mean applications?)"},
		"llm_configs: []":     {"c.yaml:1:14 llm_configs: it stands at the top of the file (write applications: with an entry that has args: with llm_configs:)"},
		"applications:\n- {}": {"c.yaml:2:3 applications[0].args.llm_configs: there is no model to serve (give at least one LLMConfig)"},
		"applications:\n- args: {llm_configs: [~, ~]}": {
			"c.yaml:2:24 applications[0].args.llm_configs[0]: the item is empty", "c.yaml:2:27 applications[0].args.llm_configs[1]: the item is empty",
		},
		"applications:\n-":                                {"c.yaml:2:2 applications[0]: the item is empty (remove it or fill it in)"},
		app("route_prefix: llm"):                          {`c.yaml:2:17 applications[0].route_prefix: it does not begin with / (write it as "/name")`},
		app("route_prefix: /llm/"):                        {`c.yaml:2:17 applications[0].route_prefix: it ends with / (write it as "/name")`},
		app("route_prefix: /{x}"):                         {"c.yaml:2:17 applications[0].route_prefix: it is a plain path"},
		app("route_prefix: null"):                         {"c.yaml:2:17 applications[0].route_prefix: an application without a route cannot be reached"},
		app("import_path: ray.serve.llm:build_openai_ap"): {`c.yaml:2:16 applications[0].import_path: "ray.serve.llm:build_openai_ap" is not supported: applications of other builders need Ray (did you mean ray.serve.llm:build_openai_app?)`},
		"applications:\n- import_path: ray.serve.llm:build_dp_openai_app\n  args: {llm_config: {}}": {`c.yaml:2:16 applications[0].import_path: "ray.serve.llm:build_dp_openai_app" is not supported: applications of other builders need Ray (write ray.serve.llm:build_openai_app)`},
		"applications:\n- args: {llm_configs: [{model_loading_config: {model_id: m}}, {model_loading_config: {model_id: m}}, nowhere.yaml, 5, ., testdata/config/guide-s3.yaml]}": {
			`c.yaml:2:97 applications[0].args.llm_configs[1].model_loading_config.model_id: "m" is the same as in applications[0].args.llm_configs[0] (choose another one)`,
			"c.yaml:2:102 applications[0].args.llm_configs[2]: nowhere.yaml cannot be read: no such file or directory",
			"c.yaml:2:116 applications[0].args.llm_configs[3]: want a mapping, have a whole number",
			"c.yaml:2:119 applications[0].args.llm_configs[4]: . cannot be read: it is not a file",
			"testdata/config/guide-s3.yaml:2:1 applications[0].args.llm_configs[5].applications: unknown field",
			"testdata/config/guide-s3.yaml:2:1 applications[0].args.llm_configs[5].model_loading_config.model_id: a model_id is required",
		},
		app("name: a") + "- args: {llm_configs: [{model_loading_config: {model_id: m}}]}\n  name: a\n": {
			`c.yaml:4:3 applications[1].route_prefix: "/" is the same as in applications[0] (choose another one)`,
			`c.yaml:5:9 applications[1].name: "a" is the same as in applications[0] (choose another one)`,
		},
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			_, err := spinup.Load("c.yaml", strings.NewReader(text))
			got := problems(err)
			require.Len(t, got, len(want), "%s\n%q", text, got)
			for i := range want {
				require.True(t, strings.HasPrefix(got[i], want[i]), "%s\nwant %s\nhave %s", text, want[i], got[i])
			}
		})
	}
}

// What Ray accepts and ignores is told and does not fail.
func TestRayIgnoresThis(t *testing.T) {
	t.Parallel()
	apps := load(t, `
applications:
- host: 0.0.0.0
  port: 8000
  args:
    llm_configs:
    - model_loading_config: {model_id: m}
      accelerator_config: {kind: gpu, chips: 4}
`)
	require.Equal(t, []string{
		"c.yaml:3:3 applications[0].host: it has no effect here: the program chooses the address",
		"c.yaml:4:3 applications[0].port: it has no effect here: the program chooses the address",
		"c.yaml:8:7 applications[0].args.llm_configs[0].accelerator_config: it is checked, but has no effect here",
		"c.yaml:8:46 applications[0].args.llm_configs[0].accelerator_config.chips: it has no effect: known are kind and topology",
	}, apps[0].Warnings)
}

// For these a null is another value in Ray than none.
func TestNulls(t *testing.T) {
	t.Parallel()
	apps := load(t, bare+"log_engine_metrics: null\nengine_kwargs: {disable_log_stats: true}\nlora_config: {dynamic_lora_loading_path: s3://b/l, download_timeout_s: ~}\n")
	cfg := apps[0].Args.LLMConfigs[0]
	require.False(t, *cfg.LogEngineMetrics)
	require.Zero(t, *cfg.LoraConfig.DownloadTimeout)
	require.NoError(t, cfg.Validate())
	cfg = load(t, bare+"lora_config: {dynamic_lora_loading_path: s3://b/l}\n")[0].Args.LLMConfigs[0]
	require.Nil(t, cfg.LogEngineMetrics)
	require.Nil(t, cfg.LoraConfig.DownloadTimeout)
}

func TestSeveralApplicationsAndFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "models"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "models", "b.yaml"), []byte("model_loading_config:\n  model_id: b\nserver_cls: x\n"), 0o600))
	main := filepath.Join(dir, "serve.yaml")
	text := `applications:
- name: one
  args:
    llm_configs:
    - model_loading_config: {model_id: a}
    - models/b.yaml
- name: two
  route_prefix: /two
  args:
    llm_configs: [` + filepath.Join(dir, "models", "b.yaml") + `]
`
	apps, err := spinup.Load(main, strings.NewReader(text))
	require.NoError(t, err)
	require.Len(t, apps, 2)
	require.Equal(t, "a", apps[0].Args.LLMConfigs[0].ModelLoadingConfig.ModelID)
	require.Equal(t, "b", apps[0].Args.LLMConfigs[1].ModelLoadingConfig.ModelID)
	require.Equal(t, "b", apps[1].Args.LLMConfigs[0].ModelLoadingConfig.ModelID)
	require.Len(t, apps[0].Warnings, 1)
	require.Contains(t, apps[0].Warnings[0], filepath.Join(dir, "models", "b.yaml")+":3:1 applications[0].args.llm_configs[1].server_cls")
	require.Len(t, apps[1].Warnings, 1)

	require.NoError(t, os.WriteFile(filepath.Join(dir, "models", "b.yaml"), []byte("model_loading_config:\n  model_id: b\nengine_kwargs:\n  max_model_len: long\n"), 0o600))
	_, err = spinup.Load(main, strings.NewReader(text))
	got := problems(err)
	require.Len(t, got, 2)
	require.Contains(t, got[0], "b.yaml:4:18 applications[0].args.llm_configs[1].engine_kwargs.max_model_len: want a whole number, have text")
}

// A callback_class that nobody registered is left to New, unless there is more to tell.
func TestUnknownCallbackIsLeftToNew(t *testing.T) {
	t.Parallel()
	const callback = "callback_config: {callback_class: CloudDownloder}\n"
	apps := load(t, bare+callback)
	_, err := spinup.FromApplications(nil, apps)
	require.Equal(t, []string{
		`c.yaml:2:35 callback_config.callback_class: no callback is registered as "CloudDownloder" (did you mean CloudDownloader?)`,
	}, problems(err))
	err = apps[0].Args.LLMConfigs[0].Validate()
	require.Equal(t, []string{
		`callback_config.callback_class: no callback is registered as "CloudDownloder" (did you mean CloudDownloader?)`,
	}, problems(err))

	_, err = spinup.Load("c.yaml", strings.NewReader(bare+callback+"accelerator_type: X\n"))
	require.Len(t, problems(err), 2)
}

func TestKwargsWithoutClassWarn(t *testing.T) {
	t.Parallel()
	apps := load(t, bare+"callback_config: {callback_kwargs: {a: 1}}\n")
	require.Equal(t, []string{"c.yaml:2:36 callback_config.callback_kwargs: it has no effect without a callback_class"}, apps[0].Warnings)
}

func TestReaderFailsOrHasTooMuch(t *testing.T) {
	t.Parallel()
	broken := errors.New("the disk is gone")
	_, err := spinup.Load("c.yaml", iotest.ErrReader(broken))
	require.ErrorIs(t, err, broken)
	require.Equal(t, []string{"give a YAML file with an LLMConfig or applications"}, slices.Collect(lifecycle.Hints(err)))
	_, err = spinup.Load("c.yaml", strings.NewReader("# "+strings.Repeat("x", 1<<20)))
	require.ErrorIs(t, err, lifecycle.Invalid)
}

// Ray ignores keys that it does not know at the top, where files keep what is used several times.
func TestTopLevelKeysMayHoldAnchors(t *testing.T) {
	t.Parallel()
	apps, err := spinup.Load("x.yaml", strings.NewReader(`
x-base: &base {llm_engine: reference, engine_kwargs: {max_model_len: 64}}
applications:
- args: {llm_configs: [{<<: *base, model_loading_config: {model_id: m, model_source: ./m}}]}
`))
	require.NoError(t, err)
	require.Empty(t, apps[0].Warnings)
	require.Equal(t, "reference", apps[0].Args.LLMConfigs[0].LLMEngine)
	_, err = spinup.Load("x.yaml", strings.NewReader("applications: [{x-a: 1, args: {llm_configs: [{x-b: 1}]}}]"))
	require.ErrorContains(t, err, "x-a: invalid: unknown field")
	require.ErrorContains(t, err, "x-b: invalid: unknown field")
}

// No value of env_vars is shown, whatever is printed and whatever is wrong with it.
func TestEnvVarsStaySecret(t *testing.T) {
	t.Parallel()
	const canary = "canary-0815-secret"
	apps := load(t, bare+"runtime_env: {env_vars: {TOKEN: "+canary+"}}\n")
	require.Equal(t, canary, apps[0].Args.LLMConfigs[0].RuntimeEnv.EnvVars["TOKEN"])
	cfg := apps[0].Args.LLMConfigs[0]
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
		for _, v := range []any{
			apps, apps[0], &apps[0],
			[]*spinup.Application{&apps[0]},
			cfg, *cfg,
			[]*spinup.LLMConfig{cfg},
			cfg.RuntimeEnv, &cfg.RuntimeEnv,
			[]*spinup.RuntimeEnv{&cfg.RuntimeEnv},
			apps[0].Args,
		} {
			require.NotContains(t, fmt.Sprintf(verb, v), canary)
		}
	}
	for _, text := range []string{
		"runtime_env: {env_vars: " + canary + "}",
		"runtime_env: {env_vars: [" + canary + "]}",
		"runtime_env: " + canary,
		"runtime_env: {env_vars: {TOKEN=" + canary + ": 1}}",
		"runtime_env: {env_vars: {TOKEN: *" + canary + "}}",
		"runtime_env: {env_vars: {TOKEN: !" + canary + " x}}",
		"runtime_env: {env_vars: {TOKEN: [" + canary + "]}}",
		"runtime_env: {env_vars: {TOKEN: \"" + canary + "}}",
		"runtime_env: {env_vars: {TOKEN: \"\\q" + canary + "\"}}",
		"engine_kwargs: {max_model_len: " + canary + "}",
		"deployment_config: {num_replicas: " + canary + "}",
		"model_loading_config: {model_id: m, model_source: 's3://key:" + canary + "@/x'}",
	} {
		_, err := spinup.Load("c.yaml", strings.NewReader(text))
		require.Error(t, err)
		require.NotContains(t, err.Error(), canary, text)
	}
}

func FuzzLoad(f *testing.F) {
	for _, seed := range []string{
		bare, "applications:\n- args: {llm_configs: [{model_loading_config: {model_id: m}}]}\n",
		bare + "engine_kwargs: &a {x: 1}\nexperimental_configs: {<<: *a}\n",
		bare + "callback_config: {callback_class: CloudDownloader, callback_kwargs: {paths: [[s3://b, c]]}}\n",
		bare + "deployment_config: {autoscaling_config: {min_replicas: .nan, max_replicas: 1e3}}\n",
		bare + "placement_group_config: {bundles: [{GPU: .inf}]}\n", "a: [\n", "\t", "\xff\xfe", "- &a [*a]",
	} {
		f.Add([]byte(seed))
	}
	for _, name := range []string{"testdata/config/guide-s3.yaml", "testdata/config/guide-gcs.yaml"} {
		text, err := os.ReadFile(name)
		require.NoError(f, err)
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		apps, err := spinup.Load("c.yaml", strings.NewReader(string(data)))
		if err == nil {
			require.NotEmpty(t, apps)
			for _, app := range apps {
				require.NotEmpty(t, app.Args.LLMConfigs)
			}
			return
		}
		for e := range lifecycle.Errors(err) {
			require.Equal(t, lifecycle.Invalid, e.Kind)
			require.Regexp(t, `^\S+:\d+:\d+`, e.Target)
		}
	})
}
