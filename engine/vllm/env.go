package vllm

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/internal/driver"
	"github.com/spinup-llm/spinup/internal/memory"
	"github.com/spinup-llm/spinup/lifecycle"
)

func onCPU(spec engine.Spec) bool { return len(spec.Devices) == 0 }

// environment is complete: what is inherited, what this package sets, and env_vars, which win.
func environment(spec engine.Spec, inst install) lifecycle.EnvVars {
	env := engine.BaseEnv(os.Environ())
	if filepath.IsAbs(inst.path) {
		// Tools that vLLM calls by name, such as ninja, lie beside the program.
		env["PATH"] = filepath.Dir(inst.path) + string(filepath.ListSeparator) + env["PATH"]
	}
	env["PYTHONUNBUFFERED"] = "1" // a line is progress when it is written, not when a buffer is full
	env["VLLM_NO_USAGE_STATS"] = "1"
	env["DO_NOT_TRACK"] = "1"
	if token, ok := spec.Kwargs["hf_token"].(string); ok {
		env["HF_TOKEN"] = token
	}
	if spec.Adapters > 0 {
		env["VLLM_ALLOW_RUNTIME_LORA_UPDATING"] = "1" // only we can reach it
	}
	if isLocal(spec) {
		env["HF_HUB_OFFLINE"] = "1"
	}
	maps.Copy(env, engine.DeviceEnv(spec.Devices))
	if onCPU(spec) {
		maps.Copy(env, cpuEnvironment(spec, readOptions(inst.pkg)))
	} else if spec.CacheDir != "" {
		env["VLLM_CACHE_ROOT"] = spec.CacheDir
	}
	if spec.Sleeps {
		env["VLLM_SERVER_DEV_MODE"] = "1" // or there is no path to sleep by
	}
	maps.Copy(env, traceEnvironment(spec))
	maps.Copy(env, bucketEnvironment(spec, os.Environ()))
	maps.Copy(env, spec.Env)
	delete(env, "VLLM_API_KEY") // requests come through the door, which has keys of its own and knows not this one
	completeBucket(env, spec)
	if spec.Trace.Endpoint != nil {
		bypassProxy(env, spec.Trace.Endpoint.Hostname())
	}
	return env
}

// isLocal reports whether everything that vLLM will read lies on this machine: then the
// hub need not be asked, which fails slowly where there is no network.
func isLocal(spec engine.Spec) bool {
	if spec.Dir == "" || spec.Weights != nil || borrows(spec) {
		return false
	}
	paths := append(adapterPaths(spec.Kwargs),
		spec.Kwargs["tokenizer"], spec.Kwargs["hf_config_path"], spec.Kwargs["spec_model"],
		draftModel(spec.Kwargs["speculative_config"]))
	for _, p := range paths {
		if s := text(p); s != "" && !filepath.IsAbs(s) && !strings.HasPrefix(s, "[") {
			return false
		}
	}
	return true
}

// draftModel is what a speculative_config, which may be written as JSON, names.
func draftModel(config any) any {
	m, _ := fromJSON(config).(map[string]any) // what is none is vLLM's to refuse
	return m["model"]
}

// adapterPaths are those in lora_modules, a list of {name, path} or "name=path", and in
// default_mm_loras, which has one for each modality. Every map may be written as JSON.
func adapterPaths(kwargs map[string]any) (paths []any) {
	given := fromJSON(kwargs["lora_modules"])
	modules, several := given.([]any)
	if !several {
		modules = []any{given}
	}
	for _, module := range modules {
		switch m := fromJSON(module).(type) {
		case map[string]any:
			paths = append(paths, m["path"])
		case string:
			_, path, _ := strings.Cut(m, "=")
			paths = append(paths, path)
		}
	}
	byModality, _ := fromJSON(kwargs["default_mm_loras"]).(map[string]any) // what is none is vLLM's to refuse
	return slices.AppendSeq(paths, maps.Values(byModality))
}

// fromJSON is a plain v, which may be written as JSON.
func fromJSON(v any) any {
	plain, err := plainValue(v)
	if err != nil {
		return nil
	}
	var parsed any
	if s, isText := plain.(string); isText && json.Unmarshal([]byte(s), &parsed) == nil {
		return parsed
	}
	return plain
}

// borrows reports whether code or parts of the model lie in another repository.
func borrows(spec engine.Spec) bool {
	cfg, err := readModelConfig(spec)
	return err == nil && driver.Borrows(cfg.top, truthy(spec.Kwargs["trust_remote_code"]))
}

// traceEnvironment asks for the spans of the start, by environment alone: the endpoint is a
// secret, and every user of the machine can read arguments. vLLM's option would also make
// it trace each request for as long as it serves; the spans of its API server's side, which
// only wait for those of the engine, are the price.
func traceEnvironment(spec engine.Spec) lifecycle.EnvVars {
	if spec.Trace.Endpoint == nil || tracesElsewhere(spec) {
		return nil
	}
	env := lifecycle.EnvVars{
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": spec.Trace.Endpoint.String(),
		"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
		"OTEL_BSP_SCHEDULE_DELAY":            "500", // ms; spans unsent at the stop are lost
	}
	if spec.Trace.Traceparent != "" {
		env["TRACEPARENT"] = spec.Trace.Traceparent
	}
	return env
}

// bypassProxy adds host to the exceptions of a proxy, which cannot reach this machine's
// loopback. Python reads the lower case first.
func bypassProxy(env lifecycle.EnvVars, host string) {
	proxy := cmp.Or(env["http_proxy"], env["HTTP_PROXY"], env["all_proxy"], env["ALL_PROXY"])
	if list := cmp.Or(env["no_proxy"], env["NO_PROXY"]); proxy != "" && list != "*" {
		env["no_proxy"] = strings.TrimPrefix(list+","+host, ",")
	}
}

// tracesElsewhere reports whether the user has told vLLM where its spans go.
func tracesElsewhere(spec engine.Spec) bool {
	return text(spec.Kwargs["otlp_traces_endpoint"]) != "" ||
		spec.Env["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] != "" || spec.Env["OTEL_EXPORTER_OTLP_ENDPOINT"] != ""
}

// cpuEnvironment bounds cores and memory: vLLM's own defaults bind each replica of a
// machine to the same core, and take most of the memory for the KV cache.
func cpuEnvironment(spec engine.Spec, known options) lifecycle.EnvVars {
	env := lifecycle.EnvVars{}
	bind, threads := coreBinding(spec.CPUs, ranks(spec.Kwargs))
	env["VLLM_CPU_OMP_THREADS_BIND"] = bind
	if bind == "nobind" {
		env["OMP_NUM_THREADS"] = strconv.Itoa(threads)
	}
	_, set := spec.Kwargs[kvOption]
	if _, has := known[kvOption]; !set && !has {
		env[kvVariable] = strconv.FormatInt((kvBytes(spec, memory.Limit())+gib-1)/gib, 10)
	}
	if dir := cmp.Or(compileCache(spec.Kwargs), spec.CacheDir); dir != "" {
		// On the CPU vLLM ignores cache_dir, cannot load what it has compiled ahead of time,
		// and compiles anew; with these three a second start finds its code.
		env["VLLM_CACHE_ROOT"] = dir
		env["TORCHINDUCTOR_CACHE_DIR"] = filepath.Join(dir, "inductor")
		env["VLLM_USE_AOT_COMPILE"] = "0"
	}
	return env
}

func compileCache(kwargs map[string]any) string {
	return text(asMap(kwargs["compilation_config"])["cache_dir"])
}

// ranks is how many workers share the machine's cores.
func ranks(kwargs map[string]any) int {
	n := 1
	for _, name := range []string{"tensor_parallel_size", "pipeline_parallel_size", "data_parallel_size"} {
		if v, ok := driver.Number(kwargs[name]); ok && v >= 1 && v <= 1<<16 {
			n *= int(v)
		}
	}
	return n
}

// coreBinding deals cores out to ranks in vLLM's syntax, "0,1|2,3". With fewer cores than
// ranks, or without cores given, threads are bounded and not bound.
func coreBinding(cores []int, ranks int) (bind string, threads int) {
	if len(cores) < ranks {
		n := len(cores)
		if n == 0 {
			n = runtime.NumCPU()
		}
		return "nobind", max(1, n/ranks)
	}
	parts := make([]string, ranks)
	for rank := range ranks {
		part := cores[rank*len(cores)/ranks : (rank+1)*len(cores)/ranks]
		parts[rank] = strings.Trim(strings.ReplaceAll(fmt.Sprint(part), " ", ","), "[]")
	}
	return strings.Join(parts, "|"), 0
}

// What tells vLLM the size of the KV cache on the CPU: its option in bytes, or, before it had
// that for the CPU, a variable in GiB.
const (
	kvOption   = "kv_cache_memory_bytes"
	kvVariable = "VLLM_CPU_KVCACHE_SPACE"
	gib        = 1 << 30
	kvLeast    = 256 << 20
)

// kvBytes is the KV cache of a rank: room for four requests of the longest length, at most a
// quarter of memory (in bytes; 0 is unknown), and never less than kvLeast. vLLM touches all
// of it before it serves.
func kvBytes(spec engine.Spec, memory int64) int64 {
	want := int64(4 * gib)
	if cfg, err := readModelConfig(spec); err == nil {
		if perToken := cfg.kvBytesPerToken(); perToken > 0 {
			want = 4 * perToken * cfg.servedLen(spec) / int64(ranks(spec.Kwargs))
		}
	}
	if memory > 0 {
		want = min(want, memory/4/int64(ranks(spec.Kwargs)))
	}
	return max(kvLeast, want)
}
