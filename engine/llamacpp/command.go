package llamacpp

import (
	"encoding/json"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/internal/driver"
	"github.com/spinup-llm/spinup/lifecycle"
)

// logVerbosity shows the stages of a start. What clients ask is not logged at this level.
const logVerbosity = "4"

// Command implements engine.Engine. Errors: NotFound for the program, Invalid for kwargs,
// and those of Check for the choice of the model's file.
func (e Engine) Command(spec engine.Spec) (engine.Command, error) {
	path, err := e.find()
	if err != nil {
		return engine.Command{}, err
	}
	files, err := choose(listing(spec.Dir), spec)
	if err != nil {
		return engine.Command{}, err
	}
	host, port, err := net.SplitHostPort(spec.Addr)
	if err != nil {
		return engine.Command{}, &lifecycle.Error{
			Op: "llamacpp.Command", Kind: lifecycle.Invalid, Target: spec.Addr, Err: err, Hint: "give host:port, such as 127.0.0.1:8001",
		}
	}
	args := []string{
		"--model", filepath.Join(spec.Dir, filepath.FromSlash(files[0])), "--alias", spec.ModelID,
		"--host", host, "--port", port, "--metrics",
	}
	more, err := flags(spec)
	if err != nil {
		return engine.Command{}, err
	}
	args = append(append(args, ownOptions(spec)...), more...)
	return engine.Command{
		Path: path, Args: args, Env: environment(spec),
		AlivePath: "/health", ReadyPath: "/health", Warmup: warmup(spec),
	}, nil
}

// ownOptions are those that the host needs and the user has not chosen.
func ownOptions(spec engine.Spec) []string {
	var args []string
	add := func(option, value string, names ...string) {
		if slices.ContainsFunc(names, func(n string) bool { return driver.Plain(spec.Kwargs[n]) != nil }) {
			return
		}
		if args = append(args, option); value != "" {
			args = append(args, value)
		}
	}
	add("--no-webui", "", "ui", "webui", "no_ui", "no_webui")
	add("--log-verbosity", logVerbosity, "log_verbosity", "verbosity", "verbose", "log_verbose")
	if len(spec.Devices) == 0 {
		add("--device", "none", "device")
	}
	if n := len(spec.CPUs); n > 0 { // by default it takes all, and waits for work by spinning
		add("--threads", strconv.Itoa(n), "threads")
	}
	return args
}

// environment is complete: what is inherited, what this package sets, and env_vars, which win.
func environment(spec engine.Spec) lifecycle.EnvVars {
	env := engine.BaseEnv(os.Environ())
	maps.Copy(env, engine.DeviceEnv(spec.Devices))
	if len(spec.Devices) > 0 {
		env["GGML_VK_VISIBLE_DEVICES"] = strings.Join(spec.Devices, ",") // the same of Vulkan
	}
	maps.Copy(env, spec.Env)
	return env
}

// warmup is one token from a model that writes; nil for one that is told to do else.
func warmup(spec engine.Spec) *engine.Warmup {
	for _, name := range []string{"embedding", "embeddings", "rerank", "reranking"} {
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
