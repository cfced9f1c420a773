package vllm

import (
	_ "embed" // for the launcher
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/internal/pysource"
	"github.com/spinup-llm/spinup/lifecycle"
)

// launcher imports what serving needs and then waits for a line that says what to serve.
//
//go:embed launcher.py
var launcher string

// preloadWord begins the launcher's only line of output.
const preloadWord = "spinup preload: "

// preloadable are the versions whose internals the launcher knows.
var preloadable = []string{"0.32.0"}

var _ engine.Preloader = Engine{}

// Preload implements engine.Preloader. Errors are of kind Invalid: not asked for, another
// system than Linux, an installation whose Python or version is not known.
func (e Engine) Preload(spec engine.Spec) (engine.Command, error) {
	inst, err := e.find()
	if err != nil {
		return engine.Command{}, err
	}
	python, version := pysource.Interpreter(inst.path), inst.version()
	switch {
	case e.Plain:
		return engine.Command{}, notPreloadable("vllm.Engine.Plain is set")
	case e.Snapshot != "":
		return engine.Command{}, notPreloadable("the engine is restored from a snapshot")
	case runtime.GOOS != "linux":
		return engine.Command{}, notPreloadable("imports ahead of the model need Linux")
	case version == "":
		return engine.Command{}, notPreloadable("the sources of " + inst.path + " were not found")
	case !slices.Contains(preloadable, version):
		return engine.Command{}, notPreloadable(fmt.Sprintf("the internals of vLLM %s are not known, only those of %s", version, strings.Join(preloadable, ", ")))
	case python == "":
		return engine.Command{}, notPreloadable("the script " + inst.path + " names no Python")
	}
	env := environment(spec, inst)
	maps.DeleteFunc(env, func(name, _ string) bool { return isBucketKey(name) }) // they may not be for the engine
	maps.Copy(env, importEnvironment(spec, inst))
	mode := "compiled"
	if truthy(spec.Kwargs["enforce_eager"]) {
		mode = "eager" // imports no compiler; where that changes, workers do
	}
	// The version tells processes apart that wait while vLLM is replaced.
	args := []string{"-c", launcher, mode, inst.path, version}
	return engine.Command{Path: python, Args: args, Env: env, Vital: []string{titlePrefix(spec) + "::"}, Scratch: scratchVar}, nil
}

func notPreloadable(why string) error {
	return &lifecycle.Error{
		Op: "vllm.Preload", Kind: lifecycle.Invalid, Err: errors.New(why),
		Hint: "nothing has to be done: vLLM starts when the model is there",
	}
}

// Become implements engine.Preloader. The environment may only change where vLLM reads it
// after its imports.
func (Engine) Become(preloaded, cmd engine.Command) ([]byte, error) {
	if program := preloaded.Args[3]; program != cmd.Path {
		return nil, fmt.Errorf("the program is %s, no longer %s", cmd.Path, program)
	}
	order := struct {
		Argv []string           `json:"argv"`
		Env  map[string]*string `json:"env"`
	}{cmd.Args, map[string]*string{}}
	for name, value := range cmd.Env {
		if was, set := preloaded.Env[name]; !set || was != value {
			order.Env[name] = &value
		}
	}
	for name := range preloaded.Env {
		if _, set := cmd.Env[name]; !set {
			order.Env[name] = nil
		}
	}
	for _, name := range slices.Sorted(maps.Keys(order.Env)) {
		other := name == devicesVar && cmd.Env[name] != "" && preloaded.Env[name] != ""
		if !other && !isReadLate(name) {
			return nil, fmt.Errorf("the environment has changed in %s, which is read by an import", name)
		}
	}
	line, err := json.Marshal(order)
	return append(line, '\n'), err
}

// readLate are variables that vLLM 0.32 and what it uses read when they serve, not when they
// are imported; the launcher makes up for HF_HUB_OFFLINE, and for the threads of forks. Those
// of buckets are read late, too.
var readLate = []string{
	"VLLM_CPU_OMP_THREADS_BIND", "OMP_NUM_THREADS",
	"VLLM_CPU_KVCACHE_SPACE", "VLLM_CACHE_ROOT", "VLLM_USE_AOT_COMPILE", "TORCHINDUCTOR_CACHE_DIR",
	"HF_HUB_OFFLINE", "TRACEPARENT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
	"OTEL_BSP_SCHEDULE_DELAY", "no_proxy", "CUDA_DEVICE_ORDER",
}

// devicesVar is read when a device is used. Imports only ask whether it names any.
const devicesVar = "CUDA_VISIBLE_DEVICES"

func isReadLate(name string) bool {
	return slices.Contains(readLate, name) || slices.Contains(importOnly, name) || isBucketKey(name)
}

// importOnly are the variables of importEnvironment, which are gone when vLLM serves.
var importOnly = []string{"TORCHINDUCTOR_COMPILE_THREADS", "TORCHINDUCTOR_CPP_DYNAMIC_THREADS", "OPENBLAS_NUM_THREADS", "LD_PRELOAD"}

// importEnvironment is what forks come too late for. Two variables vLLM itself sets on the
// CPU before it makes workers, which read them while they import; a library that it brings
// along is loaded at the launch; and numpy's import starts threads, which no fork has.
func importEnvironment(spec engine.Spec, inst install) lifecycle.EnvVars {
	if !onCPU(spec) {
		return nil
	}
	env := lifecycle.EnvVars{
		"TORCHINDUCTOR_COMPILE_THREADS": "1", "TORCHINDUCTOR_CPP_DYNAMIC_THREADS": "1", "OPENBLAS_NUM_THREADS": "1",
	}
	malloc, _ := filepath.Glob(filepath.Join(inst.pkg, "libs", "libtcmalloc*.so*")) // the pattern is well-formed
	if len(malloc) > 0 {
		env["LD_PRELOAD"] = malloc[0]
	}
	maps.DeleteFunc(env, func(name, _ string) bool { return spec.Env[name] != "" })
	return env
}

var versionLine = regexp.MustCompile(`(?m)^__version__ = (?:version = )?['"]([^'"+]+)`)

// version is that of the installation, without what a builder added; "" when it is unknown.
func (i install) version() string {
	data, err := os.ReadFile(filepath.Join(i.pkg, "_version.py"))
	if m := versionLine.FindSubmatch(data); err == nil && i.pkg != "" && m != nil {
		return string(m[1])
	}
	return ""
}
