package spinup

import "reflect"

// importPath is the only application that is built here.
const importPath = "ray.serve.llm:build_openai_app"

const (
	rayOnly   = "it has no effect here: only Ray uses it"
	byPython  = "it has no effect here: nothing is installed or imported, prepare the engine's environment yourself"
	byProgram = "it has no effect here: the program chooses the address"
	notBuilt  = "it has no effect yet"
)

// unusedFields are fields of Ray 2.60 that are accepted with a warning, and why they have
// no effect.
func unusedFields() map[reflect.Type]map[string]string {
	return map[reflect.Type]map[string]string{
		reflect.TypeFor[serveFile](): {
			"proxy_location": rayOnly, "http_options": byProgram,
			"grpc_options": rayOnly, "controller_options": rayOnly, "logging_config": rayOnly,
			"tracing_config": rayOnly, "target_capacity": rayOnly,
		},
		reflect.TypeFor[Application](): {
			"deployments": "it has no effect here: set deployment_config in each LLMConfig", "autoscaling_policy": rayOnly,
			"logging_config": rayOnly, "external_scaler_enabled": rayOnly, "host": byProgram, "port": byProgram,
		},
		reflect.TypeFor[ApplicationArgs](): {
			"ingress_cls_config": rayOnly, "ingress_deployment_config": rayOnly,
		},
		reflect.TypeFor[LLMConfig](): {
			"server_cls": rayOnly, "experimental_configs": rayOnly, "log_engine_metrics": rayOnly,
			"accelerator_config":     "it is checked, but has no effect here",
			"placement_group_config": "it is checked, but has no effect here: a replica gets the devices of its tensor, pipeline and data parallel sizes",
		},
		reflect.TypeFor[RuntimeEnv](): {
			"working_dir": byPython, "py_modules": byPython, "py_executable": byPython, "pip": byPython, "uv": byPython,
			"conda": byPython, "excludes": byPython, "worker_process_setup_hook": byPython, "java_jars": rayOnly,
			"container": rayOnly, "image_uri": rayOnly, "config": rayOnly, "nsight": rayOnly, "rocprof_sys": rayOnly,
		},
		reflect.TypeFor[DeploymentConfig](): {
			"name": rayOnly, "version": rayOnly, "user_config": rayOnly, "ray_actor_options": rayOnly, "logging_config": rayOnly,
			"backpressure_config":           notBuilt,
			"health_check_period_s":         "it has no effect here: the engine is watched all the time",
			"health_check_timeout_s":        "it has no effect here: the engine is watched all the time",
			"graceful_shutdown_timeout_s":   "it has no effect here: the program chooses the drain limit",
			"graceful_shutdown_wait_loop_s": rayOnly, "max_constructor_retry_count": rayOnly,
			"max_replicas_per_node": rayOnly, "gang_scheduling_config": rayOnly, "deployment_actors": rayOnly,
			"rolling_update_percentage": notBuilt, "max_surge_percent": notBuilt,
		},
		reflect.TypeFor[AutoscalingConfig](): {
			"policy": "it has no effect here: a policy of your own is a Go function, Options.ScalePolicy", "smoothing_factor": "it is deprecated and has no effect here: use upscaling_factor and downscaling_factor",
			"upscale_smoothing_factor":   "it is deprecated and has no effect here: use upscaling_factor",
			"downscale_smoothing_factor": "it is deprecated and has no effect here: use downscaling_factor",
		},
		reflect.TypeFor[RequestRouterConfig](): {
			"request_routing_stats_period_s": rayOnly, "request_routing_stats_timeout_s": rayOnly, "initial_backoff_s": rayOnly,
			"backoff_multiplier": rayOnly, "max_backoff_s": rayOnly,
		},
	}
}

// accelerators are the types that Ray 2.60 knows.
var accelerators = []string{
	"V100", "P100", "T4", "P4", "K80", "A10G", "L4", "L40S", "A100", "A100-40G", "A100-80G", "H100", "H200", "H20",
	"B200", "B300", "GB200", "GB300", "RTX-PRO-6000",
	"Intel-GPU-Max-1550", "Intel-GPU-Max-1100", "Intel-GAUDI",
	"AMD-Instinct-MI100", "AMD-Instinct-MI210", "AMD-Instinct-MI250X", "AMD-Instinct-MI250X-MI250", "AMD-Instinct-MI300A",
	"AMD-Instinct-MI300X-OAM", "AMD-Instinct-MI300X-HF", "AMD-Instinct-MI308X", "AMD-Instinct-MI325X-OAM",
	"AMD-Instinct-MI350X-OAM", "AMD-Instinct-MI355X-OAM", "AMD-Radeon-R9-200-HD-7900", "AMD-Radeon-HD-7900",
	"aws-neuron-core", "TPU-V2", "TPU-V3", "TPU-V4", "TPU-V5P", "TPU-V5LITEPOD", "TPU-V6E", "TPU-V7X",
	"Ascend910B", "Ascend910B4", "MXC500", "MXC550", "FURIOSA_RNGD", "MOBILINT_ARIES", "MOBILINT_REGULUS",
	"M1", "M1-Pro", "M1-Max", "M1-Ultra", "M2", "M2-Pro", "M2-Max", "M2-Ultra", "M3", "M3-Pro", "M3-Max", "Apple-Silicon",
}
