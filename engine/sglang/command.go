package sglang

import (
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/internal/driver"
	"github.com/spinup-llm/spinup/lifecycle"
)

// Command implements engine.Engine. Errors: NotFound for the program, Invalid for kwargs
// that no command line can say.
func (e Engine) Command(spec engine.Spec) (engine.Command, error) {
	inst, err := e.find()
	if err != nil {
		return engine.Command{}, err
	}
	host, port, err := net.SplitHostPort(spec.Addr)
	if err != nil {
		return engine.Command{}, &lifecycle.Error{
			Op: "sglang.Command", Kind: lifecycle.Invalid, Target: spec.Addr, Err: err, Hint: "give host:port, such as 127.0.0.1:8001",
		}
	}
	known := readOptions(inst.pkg)
	more, err := flags(spec, known)
	if err != nil {
		return engine.Command{}, err
	}
	args := []string{"serve", "--model-path", spec.Dir, "--served-model-name", spec.ModelID, "--host", host, "--port", port}
	args = append(append(args, ownOptions(spec, known)...), more...)
	return engine.Command{
		Path: inst.path, Args: args, Env: environment(spec, inst),
		AlivePath: "/health", ReadyPath: "/health", Warmup: warmup(spec),
		Vital: []string{"sglang::scheduler", "sglang::detokenizer", "sglang::data_parallel_controller"},
	}, nil
}

// ownOptions are those that the host needs and the user has not chosen.
func ownOptions(spec engine.Spec, known options) []string {
	var args []string
	add := func(name string, words ...string) {
		if _, has := known[name]; (has || known == nil) && driver.Plain(spec.Kwargs[name]) == nil {
			args = append(append(args, "--"+strings.ReplaceAll(name, "_", "-")), words...)
		}
	}
	if len(spec.Devices) == 0 {
		add("device", "cpu")
	}
	if known != nil { // a newer option
		add("uvicorn_access_log_exclude_prefixes", "/health", loadPath)
	}
	return args
}

// environment is complete: what is inherited, what this package sets, and env_vars, which win.
func environment(spec engine.Spec, inst install) lifecycle.EnvVars {
	env := engine.BaseEnv(os.Environ())
	if filepath.IsAbs(inst.path) {
		// Tools that it calls by name, such as ninja, lie beside the program.
		env["PATH"] = filepath.Dir(inst.path) + string(filepath.ListSeparator) + env["PATH"]
	}
	env["PYTHONUNBUFFERED"] = "1" // a line is progress when it is written, not when a buffer is full
	if !readsHub(spec) {
		env["HF_HUB_OFFLINE"] = "1" // the model is here
	}
	env["SGLANG_ENABLE_HEALTH_ENDPOINT_GENERATION"] = "false"
	maps.Copy(env, engine.DeviceEnv(spec.Devices))
	if len(spec.Devices) == 0 {
		env["SGLANG_USE_CPU_ENGINE"] = "1"
		maps.Copy(env, coreBinding(spec))
	}
	maps.Copy(env, spec.Env)
	return env
}

// readsHub reports whether spec names what SGLang may have to fetch from the hub itself.
func readsHub(spec engine.Spec) bool {
	for _, name := range []string{"tokenizer", tokenizerPath, "speculative_draft_model_path", "speculative_draft_model", "lora_paths"} {
		value := driver.Plain(spec.Kwargs[name])
		if path, ok := value.(string); value != nil && (!ok || path != "" && !filepath.IsAbs(path)) {
			return true
		}
	}
	var config map[string]any
	data, err := os.ReadFile(filepath.Join(spec.Dir, "config.json"))
	if err != nil || json.Unmarshal(data, &config) != nil {
		return false // Check has said so
	}
	return driver.Borrows(config, driver.Plain(spec.Kwargs["trust_remote_code"]) == true)
}

// coreBinding keeps a replica of one rank on its cores; those of several share them.
func coreBinding(spec engine.Spec) lifecycle.EnvVars {
	if len(spec.CPUs) == 0 {
		return nil
	}
	env := lifecycle.EnvVars{"OMP_NUM_THREADS": strconv.Itoa(len(spec.CPUs))}
	if tp := driver.Plain(spec.Kwargs["tensor_parallel_size"]); tp == nil || fmt.Sprint(tp) == "1" {
		env["SGLANG_CPU_OMP_THREADS_BIND"] = strings.Trim(strings.ReplaceAll(fmt.Sprint(spec.CPUs), " ", ","), "[]")
	}
	return env
}

// warmup is one token from a model that writes; nil for one that is told to do else.
func warmup(spec engine.Spec) *engine.Warmup {
	for _, name := range []string{"is_embedding", "skip_tokenizer_init"} {
		if driver.Plain(spec.Kwargs[name]) == true {
			return nil
		}
	}
	body, err := json.Marshal(map[string]any{"model": spec.ModelID, "prompt": "Hello", "max_tokens": 1, "temperature": 0})
	if err != nil {
		return nil
	}
	return &engine.Warmup{Path: "/v1/completions", Body: body}
}
