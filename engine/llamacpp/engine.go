package llamacpp

import (
	"context"
	"errors"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/source"
)

// Engine is llama-server as an engine. The zero value finds the program by itself. It is a
// value without state and safe for concurrent use.
type Engine struct {
	// Path is that of the llama-server program; "" means SPINUP_LLAMA_SERVER, then PATH. A
	// bare name that is not on PATH is left to the launcher, which may look on another machine.
	Path string
}

var (
	_ engine.KwargsChecker = Engine{}
	_ engine.FileChooser   = Engine{}
)

// Name implements engine.Engine.
func (Engine) Name() string { return "llama.cpp" }

// Check implements engine.Engine: it reads the headers of the model's files, and starts
// nothing. See the package's Errors.
func (e Engine) Check(spec engine.Spec) error {
	_, err := e.find()
	_, optionsErr := flags(spec)
	return errors.Join(err, optionsErr, checkDir(spec))
}

// CheckKwargs implements engine.KwargsChecker.
func (e Engine) CheckKwargs(spec engine.Spec) error {
	_, err := e.find()
	_, optionsErr := flags(spec)
	return errors.Join(err, optionsErr)
}

// ChooseFiles implements engine.FileChooser: one quantisation, and what the kwargs name.
func (Engine) ChooseFiles(spec engine.Spec, m *source.Manifest) (*source.Manifest, error) {
	return chooseFiles(spec, m)
}

// CheckFiles implements engine.FileChooser: it reads the header of each file through src.
func (Engine) CheckFiles(ctx context.Context, src source.Source, m *source.Manifest) error {
	return checkFiles(ctx, src, m)
}

// NewParser implements engine.Engine.
func (Engine) NewParser(engine.Spec) engine.Parser { return &parser{} }
