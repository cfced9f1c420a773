package jinja

import (
	"errors"
	"fmt"
	"slices"
)

// stmt is a statement, or text.
type stmt interface {
	exec(f *frame) error
}

type (
	plainText string
	output    struct {
		x    expr
		line int
	}
	ifStmt struct {
		tests     []expr
		bodies    [][]stmt
		otherwise []stmt
	}
	setStmt struct {
		to   target
		x    expr
		line int
	}
	setBlock struct {
		to      target
		filters []filter
		body    []stmt
	}
	withStmt struct {
		to   []target
		x    []expr
		body []stmt
	}
	filterBlock struct {
		filters []filter
		body    []stmt
	}
	transparent []stmt // {% generation %}
	breakStmt   struct{}
	nextStmt    struct{}
)

// The loop controls travel as errors up to their loop; Parse allows them only in one.
var (
	errBreak = errors.New("break outside of a loop")
	errNext  = errors.New("continue outside of a loop")
)

func (s plainText) exec(f *frame) error { return f.write(string(s)) }

func (s output) exec(f *frame) error {
	v, err := f.eval(s.x)
	if err != nil {
		return at(s.line, err)
	}
	return f.write(text(v))
}

// at adds the line to an error that has none.
func at(line int, err error) error {
	if _, ok := errors.AsType[*lineError](err); ok || errors.Is(err, errBreak) || errors.Is(err, errNext) {
		return err
	}
	return &lineError{line, err}
}

type lineError struct {
	line int
	err  error
}

func (e *lineError) Error() string { return fmt.Sprintf("line %d: %v", e.line, e.err) }
func (e *lineError) Unwrap() error { return e.err }

func (s ifStmt) exec(f *frame) error {
	for i, t := range s.tests {
		v, err := f.eval(t)
		if err != nil {
			return err
		}
		if truth(v) {
			return f.run(s.bodies[i])
		}
	}
	return f.run(s.otherwise)
}

func (s setStmt) exec(f *frame) error {
	v, err := f.eval(s.x)
	if err == nil {
		err = s.to.assign(f, v)
	}
	if err != nil {
		return at(s.line, err)
	}
	return nil
}

func (s setBlock) exec(f *frame) error {
	v, err := filtered(f, s.filters, s.body)
	if err != nil {
		return err
	}
	return s.to.assign(f, v)
}

func (s filterBlock) exec(f *frame) error {
	v, err := filtered(f, s.filters, s.body)
	if err != nil {
		return err
	}
	return f.write(text(v))
}

// filtered runs body in a scope of its own and applies filters to what it wrote.
func filtered(f *frame, filters []filter, body []stmt) (v any, err error) {
	inner := f.child()
	if v, err = inner.captured(func() error { return inner.run(body) }); err != nil {
		return nil, err
	}
	for _, fi := range filters {
		if v, err = fi.apply(f, v); err != nil {
			return nil, err
		}
	}
	return v, nil
}

func (s withStmt) exec(f *frame) error {
	values, err := evalAll(f, s.x)
	if err != nil {
		return err
	}
	inner := f.child()
	for i, t := range s.to {
		if err := t.assign(inner, values[i]); err != nil {
			return err
		}
	}
	return inner.run(s.body)
}

func (s transparent) exec(f *frame) error { return f.child().run(s) }

func (breakStmt) exec(*frame) error { return errBreak }
func (nextStmt) exec(*frame) error  { return errNext }

// target is what can stand left of "=": a name, ns.attribute, or a tuple of those.
type target struct {
	name  string
	attr  string // of the namespace name; "" for a plain name
	tuple []target
}

// has reports whether the target assigns to name.
func (t target) has(name string) bool {
	return t.name == name || slices.ContainsFunc(t.tuple, func(t target) bool { return t.has(name) })
}

func (t target) assign(f *frame, v any) error {
	switch {
	case t.tuple != nil:
		items, err := iterate(v)
		if err != nil {
			return err
		}
		if len(items) != len(t.tuple) {
			return fmt.Errorf("%d values to unpack into %d names", len(items), len(t.tuple))
		}
		for i, to := range t.tuple {
			if err := to.assign(f, items[i]); err != nil {
				return err
			}
		}
	case t.attr != "":
		ns, _ := f.get(t.name)
		n, ok := ns.(*namespace)
		if !ok {
			return errors.New("cannot assign attribute on non-namespace object")
		}
		n.vars.Set(t.attr, v)
	default:
		f.vars[t.name] = v
	}
	return nil
}
