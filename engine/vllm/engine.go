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
	Path string // of the vllm program; "" means SPINUP_VLLM, then PATH
}

var _ engine.Tracer = Engine{}

// Name implements engine.Engine.
func (Engine) Name() string { return "vLLM" }

// Check implements engine.Engine: it reads the model's files and the installation, starts
// nothing, and joins all that it finds. See the package's Errors.
func (e Engine) Check(spec engine.Spec) error {
	inst, err := e.find()
	c := &check{spec: spec, inst: inst}
	return errors.Join(err, c.options(), c.loader(), c.model(), c.files(), c.machine())
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
// ("Overall Loading" and the inits around it) hold several stages and have none.
var spanStages = map[string]lifecycle.Stage{
	"Worker init":               StageStartWorkers,
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
	"Prepare model":             lifecycle.StageProfileMemory,
	"Allocate KV cache":         lifecycle.StageKVCache,
	"Warmup (GPU)":              lifecycle.StageCaptureGraphs,
	"Capture model":             lifecycle.StageCaptureGraphs,
	"API server setup":          StageStartServer,
}
