package spinup_test

import (
	"math"
	"testing"

	"github.com/spinup-llm/spinup"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

// valid returns a config that Validate accepts, after change.
func valid(change func(*spinup.LLMConfig)) *spinup.LLMConfig {
	cfg := &spinup.LLMConfig{ModelLoadingConfig: spinup.ModelLoadingConfig{ModelID: "m"}}
	if change != nil {
		change(cfg)
	}
	return cfg
}

func TestValidateAccepts(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*spinup.LLMConfig){
		"the least":          nil,
		"a hub id":           func(c *spinup.LLMConfig) { c.ModelLoadingConfig.ModelID = "meta-llama/Llama-3.1-8B" },
		"a path as id":       func(c *spinup.LLMConfig) { c.ModelLoadingConfig.ModelID = "examples/quickstart/model" },
		"A10":                func(c *spinup.LLMConfig) { c.AcceleratorType = "A10" },
		"the engine's limit": func(c *spinup.LLMConfig) { c.EngineKwargs.MaxModelLen = -1 },
		"zero replicas": func(c *spinup.LLMConfig) {
			c.DeploymentConfig.AutoscalingConfig = &spinup.AutoscalingConfig{MinReplicas: new(0)}
		},
		"auto": func(c *spinup.LLMConfig) {
			c.DeploymentConfig = spinup.DeploymentConfig{NumReplicas: new(spinup.Auto), AutoscalingConfig: &spinup.AutoscalingConfig{MinReplicas: new(50)}}
		},
		"a CPU": func(c *spinup.LLMConfig) {
			c.PlacementGroupConfig = map[string]any{"bundles": []map[string]any{{"CPU": 1}}}
		},
		"a TPU slice": func(c *spinup.LLMConfig) {
			c.AcceleratorType, c.AcceleratorConfig = "TPU-V6E", map[string]any{"kind": "tpu", "topology": "4x4"}
		},
		"quiet statistics": func(c *spinup.LLMConfig) {
			c.LogEngineMetrics, c.EngineKwargs.Extra = new(false), map[string]any{"disable_log_stats": true}
		},
		"Ray's own callback base": func(c *spinup.LLMConfig) {
			c.CallbackConfig.Class = "ray.llm._internal.common.callbacks.base.CallbackBase"
			c.CallbackConfig.Kwargs = map[string]any{"x": 1}
		},
		"Ray's name of CloudDownloader": func(c *spinup.LLMConfig) {
			c.CallbackConfig.Class = "ray.llm._internal.common.callbacks.cloud_downloader.CloudDownloader"
			c.CallbackConfig.Kwargs = map[string]any{"paths": [][]string{{"gs://b/x", "/x"}}}
		},
		"a callback as a value": func(c *spinup.LLMConfig) { c.CallbackConfig.Instance = spinup.NopCallback{} },
	} {
		require.NoError(t, valid(change).Validate(), name)
	}
}

func TestValidateOfSources(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]string{
		"org/name": "", "org/name@main": "", "gpt2": "", "org/name@refs/pr/1": "", "hf://org/name": "", "hf://org/name@v1": "",
		"s3://bucket": "", "s3://bucket/prefix/": "", "s3://anonymous@bucket/x": "", "S3://bucket/x": "", "gs://b/p": "",
		"/models/llama": "", "./llama": "", "../llama": "", "models/big/llama": "", "~/llama": "", "my models": "",
		"file:///models": "", "abfss://c@account.dfs.core.windows.net/x": "", "pyarrow-s3://b/x": "", "own://thing": "",
		"s3:bucket/x":                          "model_loading_config.model_source.bucket_uri: \"s3:bucket/x\" looks like a URI without its two slashes (write s3://…)",
		"s3//bucket/x":                         "looks like a URI without its two slashes",
		"gs:/b":                                "looks like a URI without its two slashes",
		"s3://":                                "names no bucket",
		"s3://anonymous@/x":                    "names no bucket",
		"hf://org":                             "",
		"hf://a/b/c":                           "is no model of the hub",
		"hf://":                                "is no model of the hub",
		"own://":                               "names nothing",
		" org/name":                            "blanks around it",
		"org/na\nme":                           "line breaks",
		"s3://k:secret@/x?X-Amz-Signature=abc": "s3://[redacted]@/x?[redacted]",
	} {
		err := valid(func(c *spinup.LLMConfig) { c.ModelLoadingConfig.ModelSource = spinup.From(uri) }).Validate()
		if want == "" {
			require.NoError(t, err, uri)
			continue
		}
		require.Len(t, problems(err), 1, uri)
		require.Contains(t, problems(err)[0], want)
	}
}

func TestValidateRefuses(t *testing.T) {
	t.Parallel()
	nan, seconds := math.NaN(), func(f float64) *spinup.Seconds { return new(spinup.Seconds(f)) }
	for name, row := range map[string]struct {
		change func(*spinup.LLMConfig)
		want   []string
	}{
		"no model id": {func(c *spinup.LLMConfig) { c.ModelLoadingConfig = spinup.ModelLoadingConfig{} }, []string{"model_loading_config.model_id: a model_id is required"}},
		"a blank":     {func(c *spinup.LLMConfig) { c.ModelLoadingConfig.ModelID = "m " }, []string{"model_loading_config.model_id: the model_id is malformed", "model_loading_config.model_source: without it"}},
		"engine":      {func(c *spinup.LLMConfig) { c.LLMEngine = " vLLM" }, []string{"llm_engine: "}},
		"numbers of the engine": {
			func(c *spinup.LLMConfig) {
				c.EngineKwargs = spinup.EngineOptions{TensorParallelSize: -1, PipelineParallelSize: -2, MaxModelLen: -3, GPUMemoryUtilization: &nan}
			},
			[]string{"engine_kwargs.tensor_parallel_size: ", "engine_kwargs.pipeline_parallel_size: ", "engine_kwargs.max_model_len: ", "engine_kwargs.gpu_memory_utilization: "},
		},
		"extras that have fields": {
			func(c *spinup.LLMConfig) {
				c.EngineKwargs.Extra = map[string]any{"load_format": "auto", "served_model_name": "x"}
			},
			[]string{"engine_kwargs.served_model_name: served_model_name is not allowed", "engine_kwargs.load_format: load_format is in Extra but has a field of its own (set the field instead)"},
		},
		"extra files": {
			func(c *spinup.LLMConfig) {
				c.ModelLoadingConfig.ModelSource.ExtraFiles = []spinup.ExtraFile{{}, {"s3:/x", "d"}}
			},
			[]string{
				"model_loading_config.model_source.extra_files[0].bucket_uri: a bucket_uri is required",
				"model_loading_config.model_source.extra_files[0].destination_path: a destination_path is required",
				"model_loading_config.model_source.extra_files[1].bucket_uri: \"s3:/x\" looks like",
			},
		},
		"environment": {
			func(c *spinup.LLMConfig) { c.RuntimeEnv.EnvVars = lifecycle.EnvVars{"A=secret": "x"} },
			[]string{`runtime_env.env_vars["A=…"]: this is no name`},
		},
		"a zero byte": {
			func(c *spinup.LLMConfig) { c.RuntimeEnv.EnvVars = lifecycle.EnvVars{"A": "x\x00"} },
			[]string{`runtime_env.env_vars.A: the value contains a zero byte`},
		},
		"replicas": {
			func(c *spinup.LLMConfig) {
				c.DeploymentConfig = spinup.DeploymentConfig{NumReplicas: new(spinup.NumReplicas(-3)), MaxOngoingRequests: -1}
			},
			[]string{"deployment_config.num_replicas: ", "deployment_config.max_ongoing_requests: "},
		},
		"a minimum above the default maximum": {
			func(c *spinup.LLMConfig) {
				c.DeploymentConfig.AutoscalingConfig = &spinup.AutoscalingConfig{MinReplicas: new(2)}
			},
			[]string{"deployment_config.autoscaling_config.max_replicas: max_replicas (1) is less than min_replicas (2)"},
		},
		"negative replicas": {
			func(c *spinup.LLMConfig) {
				c.DeploymentConfig.AutoscalingConfig = &spinup.AutoscalingConfig{MinReplicas: new(-1), MaxReplicas: -1}
			},
			[]string{"deployment_config.autoscaling_config.max_replicas: ", "deployment_config.autoscaling_config.min_replicas: "},
		},
		"too few at first": {
			func(c *spinup.LLMConfig) {
				c.DeploymentConfig.AutoscalingConfig = &spinup.AutoscalingConfig{MinReplicas: new(2), InitialReplicas: new(1), MaxReplicas: 3}
			},
			[]string{"deployment_config.autoscaling_config.initial_replicas: initial_replicas (1) is less than min_replicas (2)"},
		},
		"delays": {
			func(c *spinup.LLMConfig) {
				c.DeploymentConfig.AutoscalingConfig = &spinup.AutoscalingConfig{DownscaleDelay: seconds(-1), UpscaleDelay: seconds(math.Inf(1)), DownscaleToZeroDelay: seconds(nan)}
			},
			[]string{"deployment_config.autoscaling_config.upscale_delay_s", "deployment_config.autoscaling_config.downscale_delay_s", "deployment_config.autoscaling_config.downscale_to_zero_delay_s"},
		},
		"lora": {
			func(c *spinup.LLMConfig) {
				c.LoraConfig = &spinup.LoraConfig{DynamicLoraLoadingPath: "s3:///lora", MaxNumAdaptersPerReplica: -1, MaxDownloadTries: -1, DownloadTimeout: seconds(-1)}
			},
			[]string{`lora_config.dynamic_lora_loading_path: "s3:///lora" names no bucket`, "lora_config.max_num", "lora_config.max_download", "lora_config.download_timeout_s"},
		},
		"adapters in a model": {
			func(c *spinup.LLMConfig) {
				c.LoraConfig = &spinup.LoraConfig{DynamicLoraLoadingPath: "hf://org/model"}
			},
			[]string{`lora_config.dynamic_lora_loading_path: "hf://org/model" is a model of the hub`},
		},
		"bundles": {
			func(c *spinup.LLMConfig) {
				c.PlacementGroupConfig = map[string]any{"bundles": []any{}, "bundle_per_worker": map[string]any{}}
			},
			[]string{"placement_group_config.bundles: bundle_per_worker and bundles exclude each other"},
		},
		"a topology alone": {
			func(c *spinup.LLMConfig) { c.AcceleratorConfig = map[string]any{"kind": "tpu", "topology": "4x4"} },
			[]string{"accelerator_type: a topology needs an accelerator_type"},
		},
		"no kind": {
			func(c *spinup.LLMConfig) { c.AcceleratorConfig = map[string]any{} },
			[]string{"accelerator_config.kind: a kind is required"},
		},
		"a Go value that no YAML has": {
			func(c *spinup.LLMConfig) { c.PlacementGroupConfig = map[string]any{"bundles": make(chan int)} },
			[]string{"placement_group_config.bundles: a Go value of type chan int is not allowed"},
		},
		"a CloudDownloader as a value": {
			func(c *spinup.LLMConfig) {
				c.CallbackConfig.Instance = &spinup.CloudDownloader{Paths: [][2]string{{"/x", "/y"}}}
			},
			[]string{"callback_config: CloudDownloader paths[0][0]: invalid: it is no URI of a bucket"},
		},
		"a nil callback": {
			func(c *spinup.LLMConfig) { c.CallbackConfig.Instance = (*spinup.CloudDownloader)(nil) },
			[]string{"callback_config: the callback is a nil pointer"},
		},
	} {
		got := problems(valid(row.change).Validate())
		require.Len(t, got, len(row.want), "%s: %q", name, got)
		for i, want := range row.want {
			require.Contains(t, got[i], want, name)
		}
	}
}

// New checks its configs against each other too, before anything starts.
func TestNewRefusesDuplicates(t *testing.T) {
	t.Parallel()
	_, err := spinup.New(nil, valid(nil), valid(nil), nil)
	require.Equal(t, []string{
		`args.llm_configs[1].model_loading_config.model_id: "m" is the same as in args.llm_configs[0] (choose another one)`,
		`args.llm_configs[2]: the config is nil (give an LLMConfig)`,
	}, problems(err))
	_, err = spinup.New(nil)
	require.ErrorIs(t, err, lifecycle.Invalid)
	_, err = spinup.FromApplications(nil, nil)
	require.ErrorIs(t, err, lifecycle.Invalid)
}

func TestApplicationsOfGo(t *testing.T) {
	t.Parallel()
	args := spinup.ApplicationArgs{LLMConfigs: []*spinup.LLMConfig{valid(nil)}}
	_, err := spinup.FromApplications(nil, []spinup.Application{
		{Args: args},
		{Args: args, RoutePrefix: "b", Name: "default", ImportPath: "my.module:app"},
	})
	require.Equal(t, []string{
		`applications[1].route_prefix: it does not begin with / (write it as "/name")`,
		`applications[1].name: "default" is the same as in applications[0] (choose another one)`,
		`applications[1].import_path: "my.module:app" is not supported: applications of other builders need Ray (write ray.serve.llm:build_openai_app)`,
	}, problems(err))
}
