package jinja

import (
	"errors"
	"fmt"
	"math"
	"strings"
)

// maxSize bounds what one operation may build, in bytes or elements.
const maxSize = 16 << 20

var errTooLarge = errors.New("the template builds a value that is too large")

// binary is one of the operators + - * / // % **.
func binary(op string, a, b any) (any, error) {
	for _, v := range []any{a, b} {
		if u, ok := v.(undefined); ok {
			return nil, u.err()
		}
	}
	x, okX := toNumber(a)
	y, okY := toNumber(b)
	if okX && okY {
		return arithmetic(op, x, y)
	}
	if op == "*" && okX && x.isInt {
		return repeat(b, x.i)
	}
	if op == "*" && okY && y.isInt {
		return repeat(a, y.i)
	}
	switch left := a.(type) {
	case string:
		if right, ok := b.(string); ok && op == "+" {
			return joined(left, right)
		}
		if op == "%" {
			return percent(left, b)
		}
	case *List:
		if right, ok := b.(*List); ok && op == "+" && left.tuple == right.tuple {
			return sized(&List{Items: append(append([]any{}, left.Items...), right.Items...), tuple: left.tuple})
		}
	}
	return nil, fmt.Errorf("unsupported operand types for %s: %q and %q", op, typeName(a), typeName(b))
}

func (u undefined) err() error { return errors.New(u.why) }

func joined(parts ...string) (any, error) {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	if n > maxSize {
		return nil, errTooLarge
	}
	return strings.Join(parts, ""), nil
}

func sized(l *List) (any, error) {
	if len(l.Items) > maxSize/16 {
		return nil, errTooLarge
	}
	return l, nil
}

func repeat(v any, n int) (any, error) {
	n = max(n, 0)
	switch v := v.(type) {
	case string:
		if len(v) > 0 && n > maxSize/len(v) {
			return nil, errTooLarge
		}
		return strings.Repeat(v, n), nil
	case *List:
		if len(v.Items) > 0 && n > maxSize/16/len(v.Items) {
			return nil, errTooLarge
		}
		out := &List{tuple: v.tuple}
		for range n {
			out.Items = append(out.Items, v.Items...)
		}
		return out, nil
	default:
		return nil, fmt.Errorf("cannot multiply %q", typeName(v))
	}
}

// contains is Python's "a in b".
func contains(a, b any) (bool, error) {
	switch b := b.(type) {
	case string:
		if a, ok := a.(string); ok {
			return strings.Contains(b, a), nil
		}
		return false, fmt.Errorf("'in <string>' requires string as left operand, not %q", typeName(a))
	case *Dict:
		_, ok := b.Get(a)
		return ok, hashable(a)
	case *List:
		for _, item := range b.Items {
			if equal(item, a) {
				return true, nil
			}
		}
		return false, nil
	case undefined:
		return false, nil
	default:
		return false, fmt.Errorf("argument of type %q is not iterable", typeName(b))
	}
}

func hashable(v any) error {
	switch v := v.(type) {
	case nil, bool, int, float64, string:
		return nil
	default:
		return fmt.Errorf("%q cannot be a key", typeName(v))
	}
}

// attribute is "v.name": what Python finds as an attribute, else an item.
func attribute(v any, name string) (any, error) {
	if u, ok := v.(undefined); ok {
		return nil, u.err()
	}
	if m := method(v, name); m != nil {
		return m, nil
	}
	switch v := v.(type) {
	case *namespace:
		if value, ok := v.vars.Get(name); ok {
			return value, nil
		}
	case *loop:
		return v.attribute(name), nil
	case *Dict:
		if value, ok := v.Get(name); ok {
			return value, nil
		}
	}
	return undefined{fmt.Sprintf("'%s object' has no attribute '%s'", typeName(v), name)}, nil
}

// item is "v[key]": what Python finds as an item, else an attribute.
func item(v, key any) (any, error) {
	if u, ok := v.(undefined); ok {
		return nil, u.err()
	}
	if u, ok := key.(undefined); ok {
		return u, nil
	}
	n, isInt := toNumber(key)
	isInt = isInt && n.isInt
	switch v := v.(type) {
	case *Dict:
		if value, ok := v.Get(key); ok && hashable(key) == nil {
			return value, nil
		}
	case *List:
		if i := fromEnd(n.i, len(v.Items)); isInt && i >= 0 && i < len(v.Items) {
			return v.Items[i], nil
		}
	case string:
		runes := []rune(v)
		if i := fromEnd(n.i, len(runes)); isInt && i >= 0 && i < len(runes) {
			return string(runes[i]), nil
		}
	}
	if name, ok := key.(string); ok {
		return attribute(v, name)
	}
	return undefined{fmt.Sprintf("'%s object' has no element %s", typeName(v), repr(key))}, nil
}

func fromEnd(i, n int) int {
	if i < 0 {
		return i + n
	}
	return i
}

// slice is "v[start:stop:step]"; nil stands for what is left out.
func slice(v, start, stop, step any) (any, error) {
	if u, ok := v.(undefined); ok {
		return nil, u.err()
	}
	n, err := length(v)
	if err != nil {
		return nil, err
	}
	by, err := optionalInt(step, 1)
	if err != nil || by == 0 {
		return nil, errors.Join(err, errors.New("slice step cannot be zero"))
	}
	low, high := 0, n // where the walk may be
	if by < 0 {
		low, high = -1, n-1
	}
	first, last := low, high
	if by < 0 {
		first, last = high, low
	}
	if first, err = bound(start, first, low, high, n); err != nil {
		return nil, err
	}
	if last, err = bound(stop, last, low, high, n); err != nil {
		return nil, err
	}
	var at []int
	for i := first; (by > 0 && i < last) || (by < 0 && i > last); i += by {
		at = append(at, i)
	}
	return pick(v, at)
}

func bound(v any, otherwise, low, high, n int) (int, error) {
	i, err := optionalInt(v, otherwise)
	if v == nil || err != nil {
		return i, err
	}
	return min(max(fromEnd(i, n), low), high), nil
}

func optionalInt(v any, otherwise int) (int, error) {
	if v == nil {
		return otherwise, nil
	}
	n, ok := toNumber(v)
	if !ok || !n.isInt {
		return 0, fmt.Errorf("an index must be an integer, not %q", typeName(v))
	}
	return min(max(n.i, math.MinInt32), math.MaxInt32), nil
}

func pick(v any, at []int) (any, error) {
	switch v := v.(type) {
	case string:
		runes, out := []rune(v), make([]rune, len(at))
		for i, j := range at {
			out[i] = runes[j]
		}
		return string(out), nil
	case *List:
		out := make([]any, len(at))
		for i, j := range at {
			out[i] = v.Items[j]
		}
		return &List{Items: out, tuple: v.tuple}, nil
	default:
		return nil, fmt.Errorf("%q object cannot be sliced", typeName(v))
	}
}
