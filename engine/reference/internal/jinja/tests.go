package jinja

import (
	"errors"
)

type testFunc func(v any, args []any) (any, error)

var tests = map[string]testFunc{
	"defined":     is(func(v any) bool { _, ok := v.(undefined); return !ok }),
	"undefined":   is(func(v any) bool { _, ok := v.(undefined); return ok }),
	"none":        is(func(v any) bool { return v == nil }),
	"boolean":     is(func(v any) bool { _, ok := v.(bool); return ok }),
	"true":        is(func(v any) bool { b, ok := v.(bool); return ok && b }),
	"false":       is(func(v any) bool { b, ok := v.(bool); return ok && !b }),
	"integer":     is(func(v any) bool { _, ok := v.(int); return ok }),
	"float":       is(func(v any) bool { _, ok := v.(float64); return ok }),
	"number":      is(func(v any) bool { _, ok := toNumber(v); return ok }),
	"string":      is(func(v any) bool { _, ok := v.(string); return ok }),
	"mapping":     is(func(v any) bool { _, ok := v.(*Dict); return ok }),
	"sequence":    is(func(v any) bool { _, err := length(v); return err == nil }),
	"iterable":    is(func(v any) bool { _, err := iterate(v); return err == nil }),
	"callable":    is(callable),
	"upper":       is(func(v any) bool { s := text(v); return s == upper(s) && s != lower(s) }),
	"lower":       is(func(v any) bool { s := text(v); return s == lower(s) && s != upper(s) }),
	"odd":         modulo(2, 1),
	"even":        modulo(2, 0),
	"divisibleby": divisible,
	"sameas":      with(same),
	"in":          with(contains),
	"==":          with(by("==")),
	"eq":          with(by("==")),
	"equalto":     with(by("==")),
	"!=":          with(by("!=")),
	"ne":          with(by("!=")),
	">":           with(by(">")),
	"gt":          with(by(">")),
	"greaterthan": with(by(">")),
	">=":          with(by(">=")),
	"ge":          with(by(">=")),
	"<":           with(by("<")),
	"lt":          with(by("<")),
	"lessthan":    with(by("<")),
	"<=":          with(by("<=")),
	"le":          with(by("<=")),
}

func is(f func(any) bool) testFunc {
	return func(v any, args []any) (any, error) {
		if len(args) > 0 {
			return nil, errors.New("the test takes no argument")
		}
		return f(v), nil
	}
}

func with(f func(a, b any) (bool, error)) testFunc {
	return func(v any, args []any) (any, error) {
		if len(args) != 1 {
			return nil, errors.New("the test takes one argument")
		}
		return f(v, args[0])
	}
}

func by(op string) func(a, b any) (bool, error) {
	return func(a, b any) (bool, error) { return holds(op, a, b) }
}

func same(a, b any) (bool, error) { return typeName(a) == typeName(b) && equal(a, b), nil }

func callable(v any) bool {
	switch v.(type) {
	case function, *macro, *loop:
		return true
	default:
		return false
	}
}

func modulo(by, rest int) testFunc {
	return func(v any, args []any) (any, error) {
		if len(args) > 0 {
			return nil, errors.New("the test takes no argument")
		}
		r, err := binary("%", v, by)
		return equal(r, rest), err
	}
}

func divisible(v any, args []any) (any, error) {
	if len(args) != 1 {
		return nil, errors.New("the test takes one argument")
	}
	r, err := binary("%", v, args[0])
	return equal(r, 0), err
}
