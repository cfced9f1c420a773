package jinja

import (
	"errors"
	"fmt"
	"strings"
)

const (
	maxSteps  = 1_000_000 // of one rendering: nodes evaluated, large values count more
	maxOutput = 16 << 20  // bytes
	maxDepth  = 200       // calls within calls
)

// rendering is what all frames of one Render share.
type rendering struct{ steps, depth int }

// A frame is a scope and the place that output goes to.
type frame struct {
	*rendering
	vars   map[string]any
	parent *frame
	out    *strings.Builder
}

// child is a scope within f that writes to the same place.
func (f *frame) child() *frame {
	return &frame{rendering: f.rendering, vars: map[string]any{}, parent: f, out: f.out}
}

func (f *frame) get(name string) (any, bool) {
	for s := f; s != nil; s = s.parent {
		if v, ok := s.vars[name]; ok {
			return v, true
		}
	}
	return nil, false
}

// eval evaluates an expression and counts the steps that its value is worth.
func (f *frame) eval(e expr) (any, error) {
	v, err := e.eval(f)
	if err != nil {
		return nil, err
	}
	n := 1
	switch v := v.(type) {
	case string:
		n += len(v) / 1024
	case *List:
		n += len(v.Items) / 4
	case *Dict:
		n += len(v.keys) / 4
	case *generator:
		n += len(v.items) / 4
	}
	return v, f.step(n)
}

func (f *frame) step(n int) error {
	if f.steps += n; f.steps > maxSteps {
		return errors.New("the template does not come to an end")
	}
	return nil
}

func (f *frame) write(s string) error {
	if f.out.Len()+len(s) > maxOutput {
		return errTooLarge
	}
	f.out.WriteString(s)
	return nil
}

// captured runs body, which writes to f, and returns what it wrote.
func (f *frame) captured(body func() error) (any, error) {
	out := f.out
	f.out = &strings.Builder{}
	err := body()
	written := f.out.String()
	f.out = out
	return written, err
}

func (f *frame) run(body []stmt) error {
	for _, s := range body {
		if err := f.step(1); err != nil {
			return err
		}
		if err := s.exec(f); err != nil {
			return err
		}
	}
	return nil
}

// call calls v, one level deeper.
func (f *frame) call(v any, args []any, kwargs *Dict) (any, error) {
	if f.depth++; f.depth > maxDepth {
		return nil, errors.New("maximum recursion depth exceeded")
	}
	defer func() { f.depth-- }()
	switch v := v.(type) {
	case function:
		return v(f, args, kwargs)
	case *macro:
		return v.call(f, args, kwargs)
	case *loop:
		return v.recurse(args)
	case undefined:
		return nil, v.err()
	default:
		return nil, fmt.Errorf("%q object is not callable", typeName(v))
	}
}
