package reference

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/lifecycle"
)

// parser reads the lines of one engine process.
type parser struct {
	notes string // for the first event; "" means none
	fail  *lifecycle.Error
	crash string // the first line of a crash
}

// NewParser implements engine.Engine.
func (Engine) NewParser(spec engine.Spec) engine.Parser { return &parser{notes: notes(spec)} }

// Parse implements engine.Parser.
func (p *parser) Parse(text []byte) []lifecycle.Event {
	var l line
	if !bytes.HasPrefix(text, []byte("{")) || json.Unmarshal(text, &l) != nil || l.Stage == "" {
		p.notice(string(text))
		return nil
	}
	e := lifecycle.Event{Stage: l.Stage, Message: l.Message, Done: max(0, l.Done), Total: max(0, l.Total)}
	if e.Total > 0 {
		e.Done = min(e.Done, e.Total)
	}
	for phase := lifecycle.Begin; phase <= lifecycle.Skip; phase++ {
		if phase.String() == l.Phase {
			e.Phase = phase
		}
	}
	switch e.Phase {
	case 0:
		return nil
	case lifecycle.Fail:
		if l.Error == nil {
			l.Error = &failure{Cause: "no cause is known"}
		}
		if p.fail == nil {
			p.fail = l.Error.error(l.Stage)
		}
		e.Err = p.fail
	default:
	}
	events := []lifecycle.Event{e}
	if p.notes != "" && e.Phase == lifecycle.Begin {
		events = append(events, lifecycle.Event{Stage: e.Stage, Phase: lifecycle.Progress, Message: p.notes})
		p.notes = ""
	}
	return events
}

// notice remembers how the Go runtime begins to tell of a crash.
func (p *parser) notice(text string) {
	for _, start := range []string{"panic: ", "fatal error: ", "runtime: out of memory"} {
		if p.crash == "" && strings.HasPrefix(text, start) {
			p.crash = text
		}
	}
}

// Explain implements engine.Parser.
func (p *parser) Explain(exit int) *lifecycle.Error {
	if p.fail != nil {
		return p.fail
	}
	e := &lifecycle.Error{Op: "reference.Main", Kind: lifecycle.EngineFailed, Err: errors.New(p.crash)}
	switch {
	case strings.Contains(p.crash, "out of memory") || strings.Contains(p.crash, "cannot allocate memory"):
		e.Kind, e.Hint = lifecycle.NoSpace, "lower max_model_len or max_num_seqs, or use a smaller model: this engine is for tiny ones"
	case p.crash != "":
		e.Hint = "this is a defect of the engine: report it with its output; a Logger at debug level gets all of it"
	case exit == 128+9:
		e.Err = errors.New("the engine was killed")
		e.Hint = "if nobody did it, the system did for lack of memory: lower max_model_len or max_num_seqs, or use a smaller model"
	case exit < 0:
		e.Err = errors.New("the engine does not answer")
		e.Hint = "read its output; a Logger at debug level gets all of it"
	default:
		e.Err = fmt.Errorf("the engine ended with exit code %d", exit)
		e.Hint = "read its output; a Logger at debug level gets all of it"
	}
	return e
}
