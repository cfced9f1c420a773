package jinja

import (
	"errors"
	"fmt"
)

// Raised is what a template says with raise_exception.
type Raised struct{ Message string }

// Error implements error.
func (r *Raised) Error() string { return r.Message }

// maxRange is the limit of Jinja's sandbox.
const maxRange = 100_000

// globals returns what every template can call.
func globals() map[string]any {
	return map[string]any{
		"range": function(rangeOf), "namespace": function(newNamespace), "dict": function(newDict),
		"raise_exception": function(func(_ *frame, args []any, kwargs *Dict) (any, error) {
			p := bind(args, kwargs, "message")
			return nil, errors.Join(p.err, &Raised{text(p.value("message", undefined{}))})
		}),
	}
}

// Func makes a function of one string argument that templates can call.
func Func(f func(string) (string, error)) any {
	return function(func(_ *frame, args []any, kwargs *Dict) (any, error) {
		p := bind(args, kwargs, "format")
		s := p.str("format")
		if p.err != nil {
			return nil, p.err
		}
		return f(s)
	})
}

func rangeOf(_ *frame, args []any, kwargs *Dict) (any, error) {
	p := bind(args, kwargs, "start", "stop", "step")
	if len(args) == 0 {
		return nil, errors.New("range expected at least 1 argument, got 0")
	}
	start, stop, step := 0, p.integer("start", 0), p.integer("step", 1)
	if len(args) > 1 {
		start, stop = stop, p.integer("stop", 0)
	}
	if p.err != nil {
		return nil, p.err
	}
	if step == 0 {
		return nil, errors.New("range() arg 3 must not be zero")
	}
	out := &List{}
	for i := start; (step > 0 && i < stop) || (step < 0 && i > stop); i += step {
		if len(out.Items) >= maxRange {
			return nil, fmt.Errorf("range too big: the limit is %d", maxRange)
		}
		out.Items = append(out.Items, i)
	}
	return out, nil
}

func newNamespace(f *frame, args []any, kwargs *Dict) (any, error) {
	d, err := newDict(f, args, kwargs)
	if err != nil {
		return nil, err
	}
	return &namespace{vars: d.(*Dict)}, nil //nolint:forcetypeassert // newDict makes nothing else
}

func newDict(_ *frame, args []any, kwargs *Dict) (any, error) {
	out := NewDict()
	for _, v := range args {
		d, ok := v.(*Dict)
		if !ok {
			return nil, fmt.Errorf("cannot make a dict of %q", typeName(v))
		}
		for _, k := range d.keys {
			out.Set(k, d.at(k))
		}
	}
	for _, k := range kwargs.keys {
		out.Set(k, kwargs.at(k))
	}
	return out, nil
}
