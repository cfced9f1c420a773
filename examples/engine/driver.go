package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/lifecycle"
)

// Parrot is the driver of an engine that says what it hears. A driver of a real one has
// the same four methods and no more.
type Parrot struct{}

// Name implements engine.Engine; llm_engine in a configuration chooses by it.
func (Parrot) Name() string { return "parrot" }

// Check implements engine.Engine: what cannot be served is refused before a process starts.
func (Parrot) Check(spec engine.Spec) error {
	_, err := os.Stat(filepath.Join(spec.Dir, "config.json"))
	if spec.Dir != "" && err == nil {
		return nil
	}
	return &lifecycle.Error{
		Op: "parrot.Check", Kind: lifecycle.MissingFile, Target: spec.Dir,
		Err: errors.Join(errors.New("no config.json"), err), Hint: "give a folder in Hugging Face layout",
	}
}

// Command implements engine.Engine: what is run, and where it can be asked. Equal specs make
// equal commands. Here the program runs itself; a real driver names the engine's.
func (Parrot) Command(spec engine.Spec) (engine.Command, error) {
	self, err := os.Executable()
	if err != nil {
		return engine.Command{}, err
	}
	env := engine.BaseEnv(os.Environ()) // PATH, HOME and the like: nothing else is inherited
	maps.Copy(env, spec.Env)
	return engine.Command{
		Path: self, Args: []string{serverArg, spec.Addr, spec.ModelID}, Env: env,
		AlivePath: "/health", ReadyPath: "/health",
		Warmup: &engine.Warmup{Path: "/v1/completions", Body: []byte(`{"prompt":"hello"}`)},
	}, nil
}

// NewParser implements engine.Engine.
func (Parrot) NewParser(engine.Spec) engine.Parser { return &parser{} }

// parser reads the output of one process.
type parser struct{ cause string }

// Parse implements engine.Parser: lines that mean something become events.
func (p *parser) Parse(line []byte) []lifecycle.Event {
	text := string(line)
	switch {
	case strings.HasPrefix(text, "learning to speak"):
		return []lifecycle.Event{{Stage: lifecycle.StageLoadWeights, Phase: lifecycle.Begin}}
	case strings.HasPrefix(text, "error: ") && p.cause == "":
		p.cause = strings.TrimPrefix(text, "error: ")
	}
	return nil
}

// Explain implements engine.Parser: the first cause, and what to do about it.
func (p *parser) Explain(exit int) *lifecycle.Error {
	if strings.Contains(p.cause, "address already in use") {
		return &lifecycle.Error{Kind: lifecycle.EngineFailed, Err: errors.New(p.cause), Hint: "choose another port"}
	}
	if p.cause != "" {
		return &lifecycle.Error{Kind: lifecycle.EngineFailed, Err: errors.New(p.cause), Hint: "look at the parrot's output"}
	}
	return &lifecycle.Error{
		Kind: lifecycle.EngineFailed, Err: fmt.Errorf("the parrot ended with exit code %d", exit),
		Hint: "137 means that it was killed, often for want of memory",
	}
}
