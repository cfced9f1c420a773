package jinja

import (
	"fmt"
	"strings"
)

// expr is an expression.
type expr interface {
	eval(f *frame) (any, error)
}

type (
	constant struct{ value any }
	variable struct{ name string }
	listExpr struct {
		items []expr
		tuple bool
	}
	dictExpr  struct{ keys, values []expr }
	condition struct{ test, then, otherwise expr } // otherwise may be nil
	logic     struct {
		or          bool
		left, right expr
	}
	not      struct{ x expr }
	negate   struct{ x expr }
	compares struct {
		first expr
		ops   []string
		rest  []expr
	}
	operation struct {
		op          string
		left, right expr
	}
	concat  struct{ parts []expr }
	getAttr struct {
		x    expr
		name string
	}
	getItem  struct{ x, key expr }
	getSlice struct{ x, start, stop, step expr } // nil where left out
	call     struct {
		x    expr
		args arguments
	}
	filter struct {
		x    expr // nil in a filter block
		name string
		f    filterFunc
		args arguments
	}
	test struct {
		x    expr
		f    testFunc
		args arguments
	}
)

// arguments of a call. The last two may be nil.
type arguments struct {
	list        []expr
	names       []string
	named       []expr
	star, stars expr
}

func (e constant) eval(*frame) (any, error) { return e.value, nil }

func (e variable) eval(f *frame) (any, error) {
	if v, ok := f.get(e.name); ok {
		return v, nil
	}
	return undefined{"'" + e.name + "' is undefined"}, nil
}

func (e listExpr) eval(f *frame) (any, error) {
	items, err := evalAll(f, e.items)
	return &List{Items: items, tuple: e.tuple}, err
}

func (e dictExpr) eval(f *frame) (any, error) {
	d := NewDict()
	for i := range e.keys {
		k, err := f.eval(e.keys[i])
		if err != nil {
			return nil, err
		}
		if err = hashable(k); err != nil {
			return nil, err
		}
		v, err := f.eval(e.values[i])
		if err != nil {
			return nil, err
		}
		d.Set(k, v)
	}
	return d, nil
}

func (e condition) eval(f *frame) (any, error) {
	c, err := f.eval(e.test)
	switch {
	case err != nil:
		return nil, err
	case truth(c):
		return f.eval(e.then)
	case e.otherwise == nil:
		return undefined{"the inline if-expression evaluated to false and no else section was defined"}, nil
	default:
		return f.eval(e.otherwise)
	}
}

func (e logic) eval(f *frame) (any, error) {
	v, err := f.eval(e.left)
	if err != nil || truth(v) == e.or {
		return v, err
	}
	return f.eval(e.right)
}

func (e not) eval(f *frame) (any, error) {
	v, err := f.eval(e.x)
	return !truth(v), err
}

func (e negate) eval(f *frame) (any, error) {
	v, err := f.eval(e.x)
	if err != nil {
		return nil, err
	}
	n, ok := toNumber(v)
	switch {
	case !ok:
		return nil, fmt.Errorf("bad operand type for unary -: %q", typeName(v))
	case n.isInt:
		return -n.i, nil
	default:
		return -n.f, nil
	}
}

func (e compares) eval(f *frame) (any, error) {
	left, err := f.eval(e.first)
	for i, op := range e.ops {
		if err != nil {
			return nil, err
		}
		right, rightErr := f.eval(e.rest[i])
		if rightErr != nil {
			return nil, rightErr
		}
		if ok, holdsErr := holds(op, left, right); holdsErr != nil || !ok {
			return false, holdsErr
		}
		left = right
	}
	return true, err
}

func holds(op string, a, b any) (bool, error) {
	switch op {
	case "==":
		return equal(a, b), nil
	case "!=":
		return !equal(a, b), nil
	case "in":
		return contains(a, b)
	case "not in":
		ok, err := contains(a, b)
		return !ok, err
	}
	c, err := compare(a, b)
	if err != nil {
		return false, err
	}
	switch op {
	case "<":
		return c < 0, nil
	case "<=":
		return c <= 0, nil
	case ">":
		return c > 0, nil
	default:
		return c >= 0, nil
	}
}

func (e operation) eval(f *frame) (any, error) {
	left, err := f.eval(e.left)
	if err != nil {
		return nil, err
	}
	right, err := f.eval(e.right)
	if err != nil {
		return nil, err
	}
	return binary(e.op, left, right)
}

func (e concat) eval(f *frame) (any, error) {
	values, err := evalAll(f, e.parts)
	if err != nil {
		return nil, err
	}
	parts := make([]string, len(values))
	for i, v := range values {
		parts[i] = text(v)
	}
	return joined(parts...)
}

func (e getAttr) eval(f *frame) (any, error) {
	v, err := f.eval(e.x)
	if err != nil {
		return nil, err
	}
	return attribute(v, e.name)
}

func (e getItem) eval(f *frame) (any, error) {
	both, err := evalAll(f, []expr{e.x, e.key})
	if err != nil {
		return nil, err
	}
	return item(both[0], both[1])
}

func (e getSlice) eval(f *frame) (any, error) {
	var v [4]any
	for i, x := range []expr{e.x, e.start, e.stop, e.step} {
		if x != nil {
			var err error
			if v[i], err = f.eval(x); err != nil {
				return nil, err
			}
		}
	}
	return slice(v[0], v[1], v[2], v[3])
}

func (e call) eval(f *frame) (any, error) {
	v, err := f.eval(e.x)
	if err != nil {
		return nil, err
	}
	args, kwargs, err := e.args.eval(f)
	if err != nil {
		return nil, err
	}
	return f.call(v, args, kwargs)
}

func (e filter) eval(f *frame) (any, error) {
	v, err := f.eval(e.x)
	if err != nil {
		return nil, err
	}
	return e.apply(f, v)
}

func (e filter) apply(f *frame, v any) (any, error) {
	args, kwargs, err := e.args.eval(f)
	if err != nil {
		return nil, err
	}
	out, err := e.f(f, v, args, kwargs)
	if err != nil {
		return nil, fmt.Errorf("filter %s: %w", e.name, err)
	}
	return out, nil
}

func (e test) eval(f *frame) (any, error) {
	v, err := f.eval(e.x)
	if err != nil {
		return nil, err
	}
	args, _, err := e.args.eval(f)
	if err != nil {
		return nil, err
	}
	return e.f(v, args)
}

func (a arguments) eval(f *frame) (args []any, kwargs *Dict, err error) {
	if args, err = evalAll(f, a.list); err != nil {
		return nil, nil, err
	}
	kwargs = NewDict()
	for i, name := range a.names {
		v, err := f.eval(a.named[i])
		if err != nil {
			return nil, nil, err
		}
		kwargs.Set(name, v)
	}
	if a.star != nil {
		v, err := f.eval(a.star)
		if err != nil {
			return nil, nil, err
		}
		more, err := iterate(v)
		if err != nil {
			return nil, nil, err
		}
		args = append(args, more...)
	}
	if a.stars != nil {
		v, err := f.eval(a.stars)
		if err != nil {
			return nil, nil, err
		}
		d, ok := v.(*Dict)
		if !ok {
			return nil, nil, fmt.Errorf("argument after ** must be a mapping, not %q", typeName(v))
		}
		for _, k := range d.keys {
			kwargs.Set(k, d.at(k))
		}
	}
	return args, kwargs, nil
}

func evalAll(f *frame, list []expr) ([]any, error) {
	out := make([]any, len(list))
	for i, x := range list {
		var err error
		if out[i], err = f.eval(x); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// percent is Python's string formatting for %s, %d and %%.
func percent(format string, v any) (any, error) {
	args := []any{v}
	if l, ok := v.(*List); ok && l.tuple {
		args = l.Items
	}
	var parts []string
	for {
		plain, rest, found := strings.Cut(format, "%")
		parts = append(parts, plain)
		switch {
		case !found && len(args) > 0:
			return nil, fmt.Errorf("not all arguments converted during string formatting")
		case !found:
			return joined(parts...)
		case strings.HasPrefix(rest, "%"):
			parts = append(parts, "%")
		case rest == "" || strings.IndexByte("sdi", rest[0]) < 0:
			return nil, fmt.Errorf("the format %%%.1s is not supported", rest)
		case len(args) == 0:
			return nil, fmt.Errorf("not enough arguments for format string")
		default:
			n, ok := toNumber(args[0])
			switch {
			case rest[0] == 's':
				parts = append(parts, text(args[0]))
			case !ok:
				return nil, fmt.Errorf("%%d format: a real number is required, not %s", typeName(args[0]))
			default:
				parts = append(parts, fmt.Sprintf("%d", int(n.f)))
			}
			args = args[1:]
		}
		format = rest[1:]
	}
}
