package vllm

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/lifecycle"
)

var _ engine.Cacher = Engine{}

// CacheKey implements engine.Cacher. On the CPU the compiler writes machine code for every
// feature of the processor, and links what the system has: both are in the key. Errors are of
// kind Invalid: the user keeps the cache himself, or something of the key cannot be told.
func (e Engine) CacheKey(spec engine.Spec) (map[string]string, error) {
	inst, err := e.find()
	if err != nil {
		return nil, err
	}
	if own := ownCache(spec); own != "" {
		return nil, noCache(own + " is set: the cache is the user's")
	}
	kwargs, err := normalize(spec)
	if err != nil {
		return nil, err
	}
	maps.DeleteFunc(kwargs, func(name string, _ any) bool { return slices.Contains(notCompiled, name) })
	key := map[string]string{
		"engine": inst.build(), "torch": inst.torch(), "python": filepath.Base(filepath.Dir(inst.packages())),
		"system": runtime.GOOS + "/" + runtime.GOARCH + " " + osRelease(), "hardware": hardware(spec),
		"kwargs": digest(kwargs), "env_vars": digest(compiledFor(spec.Env)),
	}
	if onCPU(spec) {
		key["threads"] = strconv.Itoa(threadsOf(spec))
	}
	for _, name := range []string{"engine", "torch", "hardware"} {
		if key[name] == "" {
			return nil, noCache("it cannot be told what is compiled for: " + name + " is unknown")
		}
	}
	return key, nil
}

func noCache(why string) error {
	return &lifecycle.Error{
		Op: "vllm.CacheKey", Kind: lifecycle.Invalid, Err: errors.New(why), Hint: "nothing has to be done: vLLM compiles by itself",
	}
}

// ownCache names what of the user's says where the cache is.
func ownCache(spec engine.Spec) string {
	if compileCache(spec.Kwargs) != "" {
		return "compilation_config.cache_dir"
	}
	for _, name := range slices.Sorted(maps.Keys(spec.Env)) {
		if name == "VLLM_CACHE_ROOT" || name == "TORCHINDUCTOR_CACHE_DIR" || name == "VLLM_DISABLE_COMPILE_CACHE" {
			return name
		}
	}
	return ""
}

// notCompiled are kwargs that vLLM leaves out of its own key as well, or reads in its API
// server alone. What is missing here costs a second cache, never a wrong one.
var notCompiled = []string{
	"tokenizer", "tokenizer_mode", "tokenizer_revision", "seed", "hf_config_path", "load_format", "download_dir",
	"model_loader_extra_config", "safetensors_load_strategy", "gpu_memory_utilization", "kv_cache_memory_bytes",
	"enable_prefix_caching", "chat_template", "chat_template_content_format", "tool_call_parser", "enable_auto_tool_choice",
	"reasoning_parser", "disable_log_stats", "enable_log_requests", "max_log_len", "shutdown_timeout", "uvicorn_log_level",
	"otlp_traces_endpoint",
}

// compiledFor are the env_vars that may change what is compiled; of the others, such as
// credentials, nothing is wanted.
func compiledFor(env lifecycle.EnvVars) map[string]string {
	out := map[string]string{}
	for name, value := range env {
		switch prefix, _, _ := strings.Cut(name, "_"); {
		case name == "VLLM_CPU_KVCACHE_SPACE", name == "VLLM_CPU_OMP_THREADS_BIND", name == "VLLM_API_KEY", strings.HasPrefix(name, "VLLM_LOG"):
		case prefix == "VLLM", strings.HasPrefix(prefix, "TORCH"), prefix == "PYTORCH", prefix == "TRITON", prefix == "CUDA", name == "CXX":
			out[name] = value
		}
	}
	return out
}

// digest identifies a value and does not give it away. Maps are marshaled in order.
func digest(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		return "" // what JSON cannot say has been refused
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}

var buildLine = regexp.MustCompile(`(?m)^__version__ = (?:version = )?['"]([^'"]+)`)

// build is the version of the installation with what its builder added; "" when unknown.
func (i install) build() string { return firstMatch(buildLine, filepath.Join(i.pkg, "_version.py")) }

func (i install) torch() string {
	return firstMatch(buildLine, filepath.Join(filepath.Dir(i.pkg), "torch", "version.py"))
}

func firstMatch(re *regexp.Regexp, file string) string {
	data, err := os.ReadFile(file) //nolint:gosec // a file of the installation, or of the system
	if m := re.FindSubmatch(data); err == nil && m != nil {
		return string(m[1])
	}
	return ""
}

// osRelease stands for the C library and its kin; "" when unknown.
func osRelease() string {
	const file = "/etc/os-release"
	return firstMatch(regexp.MustCompile(`(?m)^ID="?([^"\n]*)`), file) + firstMatch(regexp.MustCompile(`(?m)^VERSION_ID="?([^"\n]*)`), file)
}

var (
	cpuFlags = regexp.MustCompile(`(?m)^(?:flags|Features)\s*:(.*)$`)
	gpuModel = regexp.MustCompile(`(?m)^Model:\s*(.*?)\s*$`)
)

// hardware is what machine code depends on: each feature of the processor, or the kinds of
// NVIDIA's cards; "" when unknown.
func hardware(spec engine.Spec) string {
	if onCPU(spec) {
		flags := strings.Fields(firstMatch(cpuFlags, "/proc/cpuinfo"))
		if len(flags) == 0 {
			return ""
		}
		slices.Sort(flags)
		return "cpu " + digest(slices.Compact(flags))
	}
	cards, _ := filepath.Glob("/proc/driver/nvidia/gpus/*/information") // the pattern is well-formed
	var models []string
	for _, card := range cards {
		models = append(models, firstMatch(gpuModel, card))
	}
	slices.Sort(models)
	return strings.Join(slices.Compact(models), ", ")
}

// threadsOf is how many threads a rank has, for which the compiler divides the work.
func threadsOf(spec engine.Spec) int {
	if _, threads := coreBinding(spec.CPUs, ranks(spec.Kwargs)); threads > 0 {
		return threads
	}
	return len(spec.CPUs) / ranks(spec.Kwargs)
}

// Cached implements engine.Cacher: compiled code and the descriptions of architectures. What
// else vLLM keeps there is of this machine alone, or can be fetched again.
func (Engine) Cached(file string) bool {
	top, _, _ := strings.Cut(file, "/")
	switch top {
	case "torch_compile_cache", "inductor", "triton", "modelinfos", "deep_gemm":
	default:
		return false
	}
	switch path.Ext(file) {
	case ".lock", ".tmp", ".pyc":
		return false
	}
	return true
}
