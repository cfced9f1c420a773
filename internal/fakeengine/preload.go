//go:build unix

package fakeengine

import (
	"bufio"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spinup-llm/spinup/engine"
)

const earlyArg = "-fakeengine-early"

// Early is an Engine that preloads: it writes "preloaded", reads its arguments, and is the
// fake. Misbehaviours before that:
//
//	early-none   there is no such process
//	early-crash  tells a cause and exits with 3
//	early-hang   says nothing and reads nothing
//	early-slow   has something to do until its input comes
//	early-brood  has the descendants of brood
type Early struct{ Engine }

var _ engine.Preloader = Early{}

// Preload implements engine.Preloader. Its process tells of itself in the spec's Dir.
func (e Early) Preload(spec engine.Spec) (engine.Command, error) {
	if modes, _ := spec.Kwargs["modes"].(string); strings.Contains(modes, "early-none") {
		return engine.Command{}, errors.New("the fake cannot preload")
	}
	cmd, err := e.Command(spec)
	cmd.Args = []string{earlyArg, cmd.Args[1], spec.Dir}
	return cmd, err
}

// Become implements engine.Preloader: an environment cannot change.
func (Early) Become(preloaded, cmd engine.Command) ([]byte, error) {
	if !maps.Equal(preloaded.Env, cmd.Env) {
		return nil, errors.New("the environment has changed")
	}
	input, err := json.Marshal(cmd.Args)
	return append(input, '\n'), err
}

// early is the main function of a process that is told later what to serve.
func early(modes []string, dir string) {
	record(dir, "early")
	f := &fake{modes: modes, dir: dir}
	switch {
	case f.is("early-crash"):
		say("error: a module is missing")
		os.Exit(3)
	case f.is("early-hang"):
		hang()
	case f.is("early-brood"):
		f.spawn("deserter", "deserter", true)
		f.spawn(coreName, "core", false)
	}
	if !f.is("early-slow") {
		say("preloaded")
	}
	line, err := bufio.NewReader(os.Stdin).ReadBytes('\n')
	if err != nil {
		os.Exit(0)
	}
	say("preloaded")
	if err := json.Unmarshal(line, &os.Args); err != nil {
		panic(err)
	}
	os.Args = slices.Insert(os.Args, 0, "fake")
	Main()
}
