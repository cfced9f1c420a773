package spinup

import (
	"math"
	"slices"
	"strings"
	"unicode"

	"github.com/spinup-llm/spinup/internal/nearest"
	"github.com/spinup-llm/spinup/internal/strictyaml"
)

// A checker finds what is wrong with a config beyond the types of its fields.
type checker struct {
	report *strictyaml.Report
	path   string // of the config in its file; "" for one alone

	// later takes the report of a callback_class that is not registered; nil: it is a problem
	// now.
	later *[]func()
}

func (c *checker) fail(path, hint, format string, args ...any) {
	c.report.Fail(join(c.path, path), hint, format, args...)
}

// given reports whether the file has something at path: a zero that was written.
func (c *checker) given(path string) bool { return c.report.Has(join(c.path, path)) }

func (c *checker) config(cfg *LLMConfig) {
	if cfg == nil {
		c.fail("", "give an LLMConfig", "the config is nil")
		return
	}
	c.model(&cfg.ModelLoadingConfig)
	if name := cfg.LLMEngine; name != strings.TrimSpace(name) || strings.ContainsFunc(name, unicode.IsControl) {
		c.fail("llm_engine", "remove the blanks around it", "the name of the engine is malformed")
	}
	c.engineKwargs(cfg)
	c.hardware(cfg)
	c.replicas(&cfg.DeploymentConfig)
	c.lora(cfg.LoraConfig)
	c.environment("runtime_env.env_vars", &cfg.RuntimeEnv)
	c.callback(&cfg.CallbackConfig)
	if _, ok := cfg.ExperimentalConfigs["num_router_replicas"]; ok {
		c.fail("experimental_configs.num_router_replicas", "write num_ingress_replicas", "the field was renamed")
	}
}

func (c *checker) engineKwargs(cfg *LLMConfig) {
	k := &cfg.EngineKwargs
	c.count("engine_kwargs.tensor_parallel_size", k.TensorParallelSize)
	c.count("engine_kwargs.pipeline_parallel_size", k.PipelineParallelSize)
	if k.MaxModelLen != -1 { // the engine chooses
		c.count("engine_kwargs.max_model_len", k.MaxModelLen)
	}
	if u := k.GPUMemoryUtilization; u != nil && !(*u > 0 && *u <= 1) {
		c.fail("engine_kwargs.gpu_memory_utilization", "give a share such as 0.9", "want a number above 0 and up to 1")
	}
	for _, name := range []string{"model", "served_model_name"} {
		if _, ok := k.Extra[name]; ok {
			c.fail("engine_kwargs."+name, "set model_id and model_source in model_loading_config instead", "%s is not allowed in engine_kwargs", name)
		}
	}
	for _, name := range engineFields {
		if _, ok := k.Extra[name]; ok {
			c.fail("engine_kwargs."+name, "set the field instead", "%s is in Extra but has a field of its own", name)
		}
	}
	metrics := cfg.LogEngineMetrics == nil || *cfg.LogEngineMetrics
	if off, _ := k.Extra["disable_log_stats"].(bool); off && metrics {
		c.fail("engine_kwargs.disable_log_stats", "set log_engine_metrics: false or remove it", "the engine's metrics need its statistics")
	}
}

func (c *checker) environment(path string, env *RuntimeEnv) {
	for name, value := range env.EnvVars {
		at := path + strictyaml.Key(name)
		switch {
		case name == "" || strings.ContainsAny(name, "=\x00") || strings.ContainsFunc(name, unicode.IsSpace):
			c.fail(at, `write NAME: "value"`, "this is no name of an environment variable")
		case strings.Contains(value, "\x00"):
			c.fail(at, "remove it", "the value contains a zero byte")
		}
	}
}

// count checks a number that is at least 1, where it is set.
func (c *checker) count(path string, n int) {
	if n < 0 || n == 0 && c.given(path) {
		c.fail(path, "", "want a whole number of at least 1")
	}
}

// positive checks a number above 0, where it is set.
func (c *checker) positive(path string, f float64) {
	if f == 0 && !c.given(path) {
		return
	}
	if !(f > 0) || math.IsInf(f, 0) {
		c.fail(path, "", "want a number above 0")
	}
}

// notNegative checks a number that is set.
func (c *checker) notNegative(path string, s *Seconds) {
	if s != nil && (!(*s >= 0) || math.IsInf(float64(*s), 0)) {
		c.fail(path, "", "want a number of seconds, 0 or more")
	}
}

// oneOf checks that value is empty or one of the known.
func (c *checker) oneOf(path, value string, known []string) {
	if value == "" || slices.Contains(known, value) {
		return
	}
	hint := "use one of: " + strings.Join(known, ", ")
	if near := nearest.Of(value, known, 1); len(near) > 0 {
		hint = "did you mean " + near[0] + "?"
	}
	c.fail(path, hint, "%q is not known", value)
}
