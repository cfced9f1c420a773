package vllm

import (
	"encoding/json"
	"net"
	"strconv"
	"strings"
	"syscall"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/internal/memory"
	"github.com/spinup-llm/spinup/lifecycle"
)

// drainSeconds is how long vLLM lets requests end after the stop signal: less than a
// supervisor waits by default. The router lets go before, so there are hardly any.
const drainSeconds = "25"

// Command implements engine.Engine. Errors: NotFound for the program, Invalid for kwargs
// that no command line can say.
func (e Engine) Command(spec engine.Spec) (engine.Command, error) {
	inst, err := e.find()
	if err != nil {
		return engine.Command{}, err
	}
	known := readOptions(inst.pkg)
	kwargs, err := normalize(spec)
	if err != nil {
		return engine.Command{}, err
	}
	args, err := commandLine(spec, kwargs, known)
	if err != nil {
		return engine.Command{}, err
	}
	args = append(args, ownOptions(spec, kwargs, known)...)
	cmd := engine.Command{Path: inst.path, Args: args, Env: environment(spec, inst)}
	if e.Snapshot != "" {
		if cmd, err = e.restoreCommand(spec, inst); err != nil {
			return engine.Command{}, err
		}
	}
	cmd.AlivePath, cmd.ReadyPath, cmd.Warmup = "/health", "/health", warmup(spec)
	cmd.StopSignal, cmd.Vital, cmd.Scratch = syscall.SIGTERM, []string{titlePrefix(spec) + "::"}, scratchVar
	return cmd, nil
}

// scratchVar is the folder of the sockets between vLLM's processes, which it does not remove.
// TMPDIR would be too much: vLLM finds locks and daemons of others there.
const scratchVar = "VLLM_RPC_BASE_PATH"

// titlePrefix begins the titles of the processes that vLLM starts.
func titlePrefix(spec engine.Spec) string {
	if p := spec.Env["VLLM_PROCESS_NAME_PREFIX"]; p != "" {
		return p
	}
	return "VLLM"
}

// commandLine is `vllm serve` with the address and the engine_kwargs.
func commandLine(spec engine.Spec, kwargs map[string]any, known options) ([]string, error) {
	host, port, err := net.SplitHostPort(spec.Addr)
	if err != nil {
		return nil, &lifecycle.Error{
			Op: "vllm.Command", Kind: lifecycle.Invalid, Target: spec.Addr, Err: err, Hint: "give host:port, such as 127.0.0.1:8001",
		}
	}
	args := []string{"serve", modelArg(spec), "--served-model-name", spec.ModelID, "--host", host, "--port", port}
	more, err := flags(kwargs, known)
	return append(args, more...), err
}

// modelArg is what vLLM loads. It cannot be told of weights elsewhere than the rest, so a
// streaming engine gets their place alone and fetches the small files itself.
func modelArg(spec engine.Spec) string {
	switch {
	case spec.Weights == nil && spec.Dir == "":
		return spec.ModelID
	case spec.Weights == nil:
		return spec.Dir
	case spec.Weights.Scheme == "" || spec.Weights.Scheme == "file":
		return spec.Weights.Path
	default: // literally, as keys of a bucket are, and without "anonymous@", which the environment says
		return spec.Weights.Scheme + "://" + spec.Weights.Host + spec.Weights.Path
	}
}

// ownOptions are those that the host needs, where the version knows them and the user has
// not chosen.
func ownOptions(spec engine.Spec, kwargs map[string]any, known options) []string {
	var args []string
	add := func(name, value string) {
		_, set := kwargs[name]
		if _, has := known[name]; has && !set {
			args = append(args, flagName(name), value)
		}
	}
	if onCPU(spec) && spec.Env[kvVariable] == "" {
		add(kvOption, strconv.FormatInt(kvBytes(spec, memory.Limit()), 10))
	}
	add("shutdown_timeout", drainSeconds)
	add("disable_access_log_for_endpoints", "/health,/metrics")
	return args
}

// warmup is one token from a model that writes, or one embedding from one that does not;
// nil where neither is sure.
func warmup(spec engine.Spec) *engine.Warmup {
	cfg, _ := readModelConfig(spec) // Check has said what is wrong with it
	var path string
	body := map[string]any{"model": spec.ModelID}
	switch {
	case truthy(spec.Kwargs["skip_tokenizer_init"]), truthy(spec.Kwargs["tokens_only"]):
		return nil
	case cfg.writes(spec.Kwargs):
		path, body["prompt"], body["max_tokens"], body["temperature"] = "/v1/completions", "Hello", 1, 0
	case cfg.embeds(spec.Kwargs):
		path, body["input"] = "/v1/embeddings", "Hello"
	default:
		return nil
	}
	data, err := json.Marshal(body)
	if err != nil {
		return nil
	}
	return &engine.Warmup{Path: path, Body: data}
}

func truthy(v any) bool {
	b, ok := v.(bool)
	return ok && b || strings.EqualFold(text(v), "true") || text(v) == "1"
}
