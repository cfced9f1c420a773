package reference

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/lifecycle"
)

// Engine is the reference engine. It has no state and is safe for concurrent use.
type Engine struct{}

var _ engine.KwargsChecker = Engine{}

// Name implements engine.Engine.
func (Engine) Name() string { return "reference" }

// hosted tells that Main was called: only then the program can become the engine. It is a
// fact about the process, hence global.
var hosted atomic.Bool

var errNotHosted = &lifecycle.Error{
	Op: "reference.Check", Kind: lifecycle.Invalid,
	Err:  errors.New("this program cannot become the engine: it did not call reference.Main"),
	Hint: "call reference.Main() first in main or TestMain",
}

// CheckKwargs implements engine.KwargsChecker.
func (Engine) CheckKwargs(spec engine.Spec) error {
	_, err := readOptions(spec)
	return err
}

// Check implements engine.Engine: it reads the model's small files and the headers of its
// weights, and starts nothing. See the package's Errors.
func (Engine) Check(spec engine.Spec) error {
	if !hosted.Load() {
		return errNotHosted
	}
	p, err := inspect(spec)
	if err != nil {
		return err
	}
	return p.weights.Close()
}

// Command implements engine.Engine: the program itself, started once more.
func (Engine) Command(spec engine.Spec) (engine.Command, error) {
	if !hosted.Load() {
		return engine.Command{}, errNotHosted
	}
	self, err := os.Executable()
	if err != nil {
		return engine.Command{}, err
	}
	dir, err := filepath.Abs(spec.Dir)
	if err != nil {
		return engine.Command{}, err
	}
	opts, err := readOptions(spec)
	if err != nil {
		return engine.Command{}, err
	}
	options, err := json.Marshal(opts)
	if err != nil {
		return engine.Command{}, err
	}
	warmup, err := json.Marshal(map[string]any{"model": spec.ModelID, "prompt": "Hello", "max_tokens": 1, "temperature": 0})
	if err != nil {
		return engine.Command{}, err
	}
	env := engine.BaseEnv(os.Environ())
	if n := len(spec.CPUs); n > 0 {
		env["GOMAXPROCS"] = strconv.Itoa(n)
	}
	maps.Copy(env, spec.Env)
	return engine.Command{
		Path: self, Args: []string{mainArg, "-id", spec.ModelID, "-dir", dir, "-addr", spec.Addr, "-options", string(options)}, Env: env,
		AlivePath: "/health", ReadyPath: "/health", Warmup: &engine.Warmup{Path: "/v1/completions", Body: warmup},
	}, nil
}
