package sglang

import (
	"errors"

	"github.com/spinup-llm/spinup/engine"
)

// Engine is SGLang as an engine. The zero value finds the program by itself. It is a value
// without state and safe for concurrent use.
type Engine struct {
	// Path is that of the sglang program; "" means SPINUP_SGLANG, then PATH. A bare name
	// that is not on PATH is left to the launcher, which may look on another machine.
	Path string
}

var _ engine.KwargsChecker = Engine{}

// Name implements engine.Engine.
func (Engine) Name() string { return "SGLang" }

// Check implements engine.Engine: it reads the model's files and the installation, and
// starts nothing. See the package's Errors.
func (e Engine) Check(spec engine.Spec) error {
	return errors.Join(e.CheckKwargs(spec), checkModel(spec))
}

// CheckKwargs implements engine.KwargsChecker.
func (e Engine) CheckKwargs(spec engine.Spec) error {
	inst, err := e.find()
	_, optionsErr := flags(spec, readOptions(inst.pkg))
	return errors.Join(err, optionsErr, checkName(spec.ModelID))
}

// NewParser implements engine.Engine. The parser does not need the installation.
func (e Engine) NewParser(engine.Spec) engine.Parser {
	p := &parser{}
	if inst, err := e.find(); err == nil && readOptions(inst.pkg) == nil {
		p.notice = "the sources of " + inst.path + " were not found: names in engine_kwargs are unchecked"
	}
	return p
}
