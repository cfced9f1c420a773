package spinup

import (
	"iter"
	"maps"
	"slices"
)

// EngineOptions are the engine's keyword arguments. Those that this module acts
// on have fields; all others travel in Extra unchanged. Pointers tell "unset"
// from zero: EnforceEager: new(true).
type EngineOptions struct {
	LoadFormat           string             `yaml:"load_format"`
	TensorParallelSize   int                `yaml:"tensor_parallel_size"`   // 0 means the engine's default
	PipelineParallelSize int                `yaml:"pipeline_parallel_size"` // 0 means the engine's default
	MaxModelLen          int                `yaml:"max_model_len"`          // in tokens; 0 means the engine's default
	GPUMemoryUtilization *float64           `yaml:"gpu_memory_utilization"` // above 0, up to 1
	EnforceEager         *bool              `yaml:"enforce_eager"`
	CompilationConfig    *CompilationConfig `yaml:"compilation_config"`
	Extra                map[string]any     `yaml:",inline"`
}

// CompilationConfig configures torch.compile.
type CompilationConfig struct {
	CacheDir string         `yaml:"cache_dir"`
	Extra    map[string]any `yaml:",inline"`
}

// lengthHint is for "auto" and "8k", which only the command line of vLLM takes.
const lengthHint = "give a whole number of tokens, such as 8192, or -1 for as many as fit; leave it out for the model's own"

// engineFields are the options that have fields.
var engineFields = []string{
	"load_format", "tensor_parallel_size", "pipeline_parallel_size", "max_model_len", "gpu_memory_utilization",
	"enforce_eager", "compilation_config",
}

// All yields every option that is set, typed and extra, sorted by name. A typed field wins
// over an extra of its name.
func (o *EngineOptions) All() iter.Seq2[string, any] {
	return func(yield func(string, any) bool) {
		kwargs := o.Kwargs()
		for _, name := range slices.Sorted(maps.Keys(kwargs)) {
			if !yield(name, kwargs[name]) {
				return
			}
		}
	}
}

// Kwargs returns a new map of every option that is set, by the engine's names: the values
// of the fields, and of Extra unchanged. It is never nil.
func (o *EngineOptions) Kwargs() map[string]any {
	kwargs := make(map[string]any, len(o.Extra)+len(engineFields))
	maps.Copy(kwargs, o.Extra)
	set(kwargs, "load_format", o.LoadFormat)
	set(kwargs, "tensor_parallel_size", o.TensorParallelSize)
	set(kwargs, "pipeline_parallel_size", o.PipelineParallelSize)
	set(kwargs, "max_model_len", o.MaxModelLen)
	if o.GPUMemoryUtilization != nil {
		kwargs["gpu_memory_utilization"] = *o.GPUMemoryUtilization
	}
	if o.EnforceEager != nil {
		kwargs["enforce_eager"] = *o.EnforceEager
	}
	if c := o.CompilationConfig; c != nil {
		m := make(map[string]any, len(c.Extra)+1)
		maps.Copy(m, c.Extra)
		set(m, "cache_dir", c.CacheDir)
		kwargs["compilation_config"] = m
	}
	return kwargs
}

// set stores a value that is not zero.
func set[T comparable](m map[string]any, key string, value T) {
	if value != *new(T) {
		m[key] = value
	}
}
