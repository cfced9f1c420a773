package reference

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/internal/nearest"
	"github.com/spinup-llm/spinup/lifecycle"
)

const (
	defaultMaxLen  = 4096
	defaultMaxSeqs = 4
	mostSeqs       = 256
)

// options are the kwargs that the engine acts on; nil and 0 mean the default.
type options struct {
	MaxModelLen int    `json:"max_model_len,omitempty"`
	MaxNumSeqs  int    `json:"max_num_seqs,omitempty"`
	Seed        *int64 `json:"seed,omitempty"`
}

// kwargs is what readOptions makes the same options of.
func (o options) kwargs() map[string]any {
	k := map[string]any{"seed": o.Seed}
	if o.MaxModelLen > 0 {
		k["max_model_len"] = o.MaxModelLen
	}
	if o.MaxNumSeqs > 0 {
		k["max_num_seqs"] = o.MaxNumSeqs
	}
	return k
}

// fixed holds kwargs that this engine has one meaning for, and the values that ask for it.
// None asks for it, too.
var fixed = map[string][]any{
	"dtype": {"auto", "float32", "float"}, "load_format": {"auto", "safetensors"}, "quantization": {},
	"tensor_parallel_size": {1}, "pipeline_parallel_size": {1}, "data_parallel_size": {1},
	"tokenizer_mode": {"auto", "hf"}, "config_format": {"auto", "hf"}, "generation_config": {"auto"}, "kv_cache_dtype": {"auto"},
	"runner": {"auto", "generate"}, "task": {"auto", "generate"}, "device": {"auto", "cpu"}, "model_impl": {"auto"},
	"enable_lora": {false}, "enable_sleep_mode": {false}, "enable_auto_tool_choice": {false}, "skip_tokenizer_init": {false},
}

// ignored holds vLLM's kwargs that tune what is not here.
var ignored = []string{
	"async_scheduling", "attention_backend", "block_size", "collect_detailed_traces", "compilation_config", "cpu_offload_gb",
	"cuda_graph_sizes", "cudagraph_capture_sizes", "disable_cascade_attn", "disable_custom_all_reduce", "disable_log_requests",
	"disable_log_stats", "disable_sliding_window", "distributed_executor_backend", "download_dir", "enable_chunked_prefill",
	"enable_expert_parallel", "enable_log_outputs", "enable_log_requests", "enable_prefix_caching", "enforce_eager",
	"gpu_memory_utilization", "kv_cache_memory_bytes", "limit_mm_per_prompt", "max_log_len", "max_num_batched_tokens",
	"max_num_partial_prefills", "max_parallel_loading_workers", "max_seq_len_to_capture", "mm_processor_kwargs",
	"model_loader_extra_config", "num_gpu_blocks_override", "optimization_level", "otlp_traces_endpoint", "prefix_caching_hash_algo",
	"ray_workers_use_nsight", "safetensors_load_strategy", "scheduling_policy", "stream_interval", "swap_space", "trust_remote_code",
	"use_tqdm_on_load", "uvicorn_log_level", "worker_extension_cls",
}

// honoured are the names in options.
var honoured = []string{"max_model_len", "max_num_seqs", "seed"}

// readOptions reads spec's kwargs. All problems are in the error.
func readOptions(spec engine.Spec) (options, error) {
	var o options
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(spec.Kwargs)) {
		if v := plain(spec.Kwargs[name]); v != nil {
			errs = append(errs, o.read(name, v, spec.ModelID))
		}
	}
	return o, errors.Join(errs...)
}

func (o *options) read(name string, v any, id string) error {
	values, isFixed := fixed[name]
	n, isInt := integer(v)
	switch {
	case name == "max_model_len" && isInt && n > 0:
		o.MaxModelLen = n
	case name == "max_num_seqs" && isInt && n > 0 && n <= mostSeqs:
		o.MaxNumSeqs = n
	case name == "seed" && isInt:
		seed := int64(n)
		o.Seed = &seed
	case slices.Contains(honoured, name):
		return optionError(name, fmt.Errorf("%v is no positive integer within the limits", v), "give an integer; max_num_seqs is at most %d", mostSeqs)
	case name == "served_model_name" && v != id:
		return optionError(name, fmt.Errorf("the model is served as %q only", id), "leave it out, and give the model that model_id")
	case name == "served_model_name", slices.Contains(ignored, name):
	case isFixed && !means(v, values):
		return optionError(name, fmt.Errorf("%v is not supported by the reference engine", v), "leave it out%s, or use llm_engine: vLLM", allowed(values))
	case !isFixed:
		names := slices.Concat(honoured, ignored, slices.Collect(maps.Keys(fixed)))
		return optionError(name, errors.New("the reference engine has no such option"), "%s", nearest.Hint(name, names))
	}
	return nil
}

func optionError(name string, err error, hint string, args ...any) error {
	return &lifecycle.Error{
		Op: "reference.Check", Kind: lifecycle.Invalid, Target: "engine_kwargs." + name, Err: err, Hint: fmt.Sprintf(hint, args...),
	}
}

func allowed(values []any) string {
	if len(values) == 0 {
		return ""
	}
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = fmt.Sprint(v)
	}
	return ", or say " + strings.Join(words, " or ")
}

// means reports whether v is one of values; numbers are compared as numbers.
func means(v any, values []any) bool {
	n, isInt := integer(v)
	return slices.ContainsFunc(values, func(other any) bool {
		return v == other || (isInt && n == other)
	})
}

// plain follows pointers and strips names off types: kwargs come from YAML and from Go.
func plain(v any) any {
	r := reflect.ValueOf(v)
	for r.Kind() == reflect.Pointer || r.Kind() == reflect.Interface {
		r = r.Elem()
	}
	switch r.Kind() {
	case reflect.Invalid:
		return nil
	case reflect.String:
		return r.String()
	case reflect.Bool:
		return r.Bool()
	default:
		return r.Interface()
	}
}

// integer reads any kind of number that has no fraction.
func integer(v any) (int, bool) {
	r := reflect.ValueOf(v)
	switch {
	case r.CanInt():
		return int(r.Int()), true
	case r.CanUint() && r.Uint() <= math.MaxInt:
		return int(r.Uint()), true //nolint:gosec // checked one line above
	case r.CanFloat() && r.Float() == math.Trunc(r.Float()) && math.Abs(r.Float()) < 1<<53:
		return int(r.Float()), true
	default:
		return 0, false
	}
}

// notes names the kwargs that are ignored, or is "".
func notes(spec engine.Spec) string {
	var names []string
	for _, name := range ignored {
		if plain(spec.Kwargs[name]) != nil {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return "no meaning here, ignored: " + strings.Join(names, ", ")
}
