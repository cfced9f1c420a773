package vllm

import (
	"errors"
	"strings"
	"time"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/lifecycle"
)

// Engine is vLLM as an engine. The zero value finds vLLM by itself. It is a value without
// state and safe for concurrent use.
type Engine struct {
	// Path is that of the vllm program; "" means SPINUP_VLLM, then PATH. A bare name that
	// is not on PATH is left to the launcher, which may look on another machine.
	Path string
	// Plain leaves out the imports ahead of the model; see Preload in the package's documentation.
	Plain bool
	// Snapshot is the folder of a snapshot that `vllm snapshot create` has made, see
	// SnapshotCommand: instead of loading, the engine is restored from it, on the same machine
	// and one NVIDIA GPU. "" means that there is none.
	Snapshot string
}

var _ engine.Tracer = Engine{}

// Name implements engine.Engine.
func (Engine) Name() string { return "vLLM" }

// Check implements engine.Engine: it reads the model's files and the installation, starts
// nothing, and joins all that it finds. See the package's Errors.
func (e Engine) Check(spec engine.Spec) error {
	inst, err := e.find()
	c := &check{spec: spec, inst: inst}
	return errors.Join(err, c.options(), c.loader(), c.model(), c.files(), c.machine(), e.checkSnapshot(spec))
}

// CheckKwargs is the part of Check that needs no files: engine_kwargs against the installed
// version. A misspelt option need not wait for a download.
func (e Engine) CheckKwargs(spec engine.Spec) error {
	inst, err := e.find()
	c := &check{spec: spec, inst: inst}
	return errors.Join(err, c.options(), c.loader(), e.checkSnapshot(spec))
}

// NewParser implements engine.Engine. The parser does not need the installation.
func (e Engine) NewParser(spec engine.Spec) engine.Parser {
	p := newParser(time.Now)
	p.failed.env, p.failed.dir = spec.Env, spec.Dir
	if inst, err := e.find(); err == nil && readOptions(inst.pkg) == nil {
		p.notice = "the sources of " + inst.path + " were not found: names in engine_kwargs and the architecture are unchecked"
	}
	return p
}

// MapSpan implements engine.Tracer.
func (Engine) MapSpan(name string) (lifecycle.Stage, bool) {
	stage, ok := spanStages[strings.TrimSpace(name)]
	return stage, ok
}

// spanStages names the stages of the spans that vLLM exports of its start. Its outer spans
// hold several stages and have none ("Overall Loading", "Prepare model", and the inits
// around them; there are two of "Worker init", one around the loading).
var spanStages = map[string]lifecycle.Stage{
	"Init device":               StageStartWorkers,
	"Download weights - HF":     lifecycle.StageDownload,
	"Load model":                lifecycle.StageLoadWeights,
	"Initialize model":          lifecycle.StageLoadWeights,
	"Load weights":              lifecycle.StageLoadWeights,
	"Loading (CPU)":             lifecycle.StageLoadWeights,
	"Loading (GPU)":             lifecycle.StageLoadWeights,
	"Dynamo bytecode transform": lifecycle.StageCompile,
	"Compile graph":             lifecycle.StageCompile,
	"Inductor compilation":      lifecycle.StageCompile,
	"Warmup (CPU)":              lifecycle.StageCompile,
	"Allocate KV cache":         lifecycle.StageKVCache,
	"Warmup (GPU)":              lifecycle.StageCaptureGraphs,
	"Capture model":             lifecycle.StageCaptureGraphs,
	"API server setup":          StageStartServer,
}
