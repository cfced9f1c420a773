package engine

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spinup-llm/spinup/lifecycle"
)

var errStopped = errors.New("the engine was stopped")

// reason turns an ending into the error of the process; nil after a requested stop.
func (p *Process) reason(end ending) error {
	err := end.err
	switch {
	case end.asked:
		return err // nil, or the end of Start's context
	case end.death != nil:
		err = p.deathError(*end.death)
	case end.broken:
		err = p.brokenError(end.err)
	}
	return p.complete(err, lifecycle.EngineFailed, "engine.Start")
}

// deathError is what the parser makes of a death. Where another process than the command
// died, the message begins with it, as the parser knows the output only.
func (p *Process) deathError(d Death) error {
	e := p.output.explain(d.Exit)
	if e == nil {
		return p.plainError(d)
	}
	if d.Name == "" {
		return e
	}
	c := *e
	c.Err = errors.New(d.String())
	if e.Err != nil {
		c.Err = fmt.Errorf("%v: %w", d, e.Err)
	}
	return &c
}

// plainError tells the bare facts.
func (p *Process) plainError(d Death) error {
	hint := "read its output; a Logger at debug level gets all of it"
	if d.Exit == 128+9 {
		hint = "if nobody killed it, the system did for lack of memory: see the kernel's log; give it more memory or ask for less"
	}
	return &lifecycle.Error{Err: fmt.Errorf("%v%s", d, p.output.last(p.redact)), Hint: hint}
}

// brokenError is for a failure that the parser saw while the process still runs.
func (p *Process) brokenError(seen error) error {
	if e := p.output.explain(-1); e != nil {
		return e
	}
	return seen
}

func (p *Process) stallError(stage lifecycle.Stage, quiet time.Duration) error {
	return &lifecycle.Error{
		Kind: lifecycle.Timeout, Stage: stage,
		Err:  fmt.Errorf("no progress in %s for %v%s", stage, quiet.Round(time.Millisecond), p.output.last(p.redact)),
		Hint: "see what it waits for in its output; raise the limit on time without progress if it only needs longer",
	}
}

// complete fills in what err leaves open and takes secrets out of it.
func (p *Process) complete(err error, kind lifecycle.Kind, op string) error {
	e, ok := err.(*lifecycle.Error) //nolint:errorlint // only the outermost is ours to complete
	if !ok {
		e = &lifecycle.Error{Kind: lifecycle.KindOf(err), Err: err}
	}
	c := *e
	if c.Op == "" {
		c.Op = op
	}
	if c.Kind == lifecycle.Unknown {
		c.Kind = kind
	}
	if c.Target == "" {
		c.Target = p.model
	}
	if c.Stage == "" && p.stages != nil {
		c.Stage, _ = p.stages.quiet()
	}
	c.Target, c.Hint = p.redact(c.Target), p.redact(c.Hint)
	if c.Err != nil {
		if text := c.Err.Error(); p.redact(text) != text {
			c.Err = errors.New(p.redact(text))
		}
	}
	return &c
}

// secretsOf holds the values of all environments, also where two give one name different values.
// A number goes before the name, whose end tells what its value is.
func secretsOf(envs ...lifecycle.EnvVars) lifecycle.EnvVars {
	secrets := lifecycle.EnvVars{}
	for i, env := range envs {
		for k, v := range env {
			secrets[strconv.Itoa(i)+" "+k] = v
		}
	}
	return secrets
}
