//go:build unix

package fakeengine

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/lifecycle"
)

// Engine implements engine.Engine.
type Engine struct{}

// Sleepy is an Engine that sleeps. While it does, it fails requests and loads no adapter.
type Sleepy struct{ Engine }

var _ engine.Sleeper = Sleepy{}

// SleepPath implements engine.Sleeper.
func (Sleepy) SleepPath() string { return "/sleep?level=1" }

// WakePath implements engine.Sleeper.
func (Sleepy) WakePath() string { return "/wake_up" }

// Spec returns a spec for a folder of t's with the misbehaviours of [Main].
func Spec(tb testing.TB, modes ...string) engine.Spec {
	tb.Helper()
	dir := tb.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte("{}"), 0o600); err != nil {
		tb.Fatal(err)
	}
	return engine.Spec{ModelID: "fake", Dir: dir, Kwargs: map[string]any{"modes": strings.Join(modes, ",")}}
}

// Name implements engine.Engine.
func (Engine) Name() string { return "fake" }

// Check implements engine.Engine: a model is a folder with a config.json.
func (Engine) Check(spec engine.Spec) error {
	_, err := os.Stat(filepath.Join(spec.Dir, "config.json"))
	if spec.Dir == "" || err != nil {
		return &lifecycle.Error{
			Op: "fake.Check", Kind: lifecycle.MissingFile, Target: spec.Dir, Err: errors.Join(errors.New("no config.json"), err),
			Hint: "give a folder with a config.json",
		}
	}
	return nil
}

// Command implements engine.Engine.
func (Engine) Command(spec engine.Spec) (engine.Command, error) {
	self, err := os.Executable()
	if err != nil {
		return engine.Command{}, err
	}
	env := engine.BaseEnv(os.Environ())
	maps.Copy(env, spec.Env)
	modes, _ := spec.Kwargs["modes"].(string)
	return engine.Command{
		Path: self, Args: []string{engineArg, modes, spec.Addr, spec.Dir, spec.CacheDir, spec.ModelID, strconv.Itoa(spec.Adapters)}, Env: env,
		AlivePath: "/health", ReadyPath: "/health",
		Warmup: &engine.Warmup{Path: "/v1/completions", Body: []byte(`{"prompt":"hi"}`)},
		Vital:  []string{coreName, workerName},
	}, nil
}

// NewParser implements engine.Engine.
func (Engine) NewParser(engine.Spec) engine.Parser { return &parser{} }

// parser knows lines of five forms: "stage NAME MESSAGE", "progress DONE/TOTAL", "error: CAUSE",
// "fatal: CAUSE" and "preloaded".
type parser struct {
	stage lifecycle.Stage
	cause string
}

func (p *parser) Parse(line []byte) []lifecycle.Event {
	word, rest, _ := strings.Cut(string(line), " ")
	switch word {
	case "stage":
		name, message, _ := strings.Cut(rest, " ")
		p.stage = lifecycle.Stage(name)
		return []lifecycle.Event{{Stage: p.stage, Phase: lifecycle.Begin, Message: message}}
	case "preloaded":
		return []lifecycle.Event{{Stage: lifecycle.StagePreload, Phase: lifecycle.End}}
	case "progress":
		return p.progress(rest)
	case "error:", "fatal:":
		if p.cause == "" {
			p.cause = rest
		}
		if word == "fatal:" {
			return []lifecycle.Event{{Stage: p.stage, Phase: lifecycle.Fail, Message: rest}}
		}
	}
	return nil
}

func (p *parser) progress(text string) []lifecycle.Event {
	a, b, _ := strings.Cut(text, "/")
	done, err1 := strconv.ParseInt(a, 10, 64)
	total, err2 := strconv.ParseInt(b, 10, 64)
	if errors.Join(err1, err2) != nil {
		return nil
	}
	return []lifecycle.Event{{Stage: p.stage, Phase: lifecycle.Progress, Done: done, Total: total}}
}

func (p *parser) Explain(exit int) *lifecycle.Error {
	if p.cause != "" {
		return &lifecycle.Error{Kind: lifecycle.EngineFailed, Err: errors.New(p.cause), Hint: "do what the fake says"}
	}
	return &lifecycle.Error{Kind: lifecycle.EngineFailed, Err: fmt.Errorf("exit %d", exit), Hint: "ask the fake for a reason"}
}
