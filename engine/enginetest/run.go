package enginetest

import (
	"io/fs"
	"net/url"
	"testing"

	"github.com/spinup-llm/spinup/engine"
)

// Config describes a driver to the suite.
type Config struct {
	Engine engine.Engine
	// Spec is of a model that the engine serves. Its Addr is "".
	Spec engine.Spec
	// Bad are specs that Check must refuse, by what is wrong with them. Without a folder,
	// with a missing and with an empty one is tried anyhow.
	Bad map[string]engine.Spec
	// Outputs are recordings of the engine's output, which the parser is fed. nil means none.
	Outputs fs.FS
	// CannotRun says why the engine is not started, such as that it is not installed. ""
	// means that it is.
	CannotRun string
	// CannotPreload says why a driver that preloads does not here. "" means that it does.
	CannotPreload string
	// Adapter is one that Spec's model can have, for a driver that loads adapters. Without its
	// Dir only what needs no files is checked.
	Adapter engine.Adapter
	// Answer fails t unless the running engine answers a request. nil asks /v1/completions
	// for one token and wants a choice.
	Answer func(t *testing.T, base *url.URL)
	// Options are those of the starts; nil means the defaults.
	Options *engine.Options
}

// Run runs the suite as subtests of t. It starts four engines, six where they preload, and one
// more where there is an adapter.
func Run(t *testing.T, c Config) {
	t.Helper()
	t.Run("check", c.check)
	t.Run("files", c.files)
	t.Run("command", c.command)
	t.Run("parser", c.parser)
	t.Run("preload", c.preload)
	t.Run("adapters", c.adapters)
	if c.CannotRun != "" {
		t.Logf("no engine is started: %s", c.CannotRun)
		return
	}
	t.Run("process", c.process)
}
