package jinja

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"strings"
)

// number is an int, a float64, or a bool that is counted with.
type number struct {
	isInt bool
	i     int
	f     float64
}

func toNumber(v any) (number, bool) {
	switch v := v.(type) {
	case bool:
		if v {
			return number{true, 1, 1}, true
		}
		return number{true, 0, 0}, true
	case int:
		return number{true, v, float64(v)}, true
	case float64:
		return number{false, 0, v}, true
	default:
		return number{}, false
	}
}

// equal is Python's ==.
func equal(a, b any) bool {
	if x, ok := toNumber(a); ok {
		y, ok := toNumber(b)
		return ok && x.f == y.f && (!x.isInt || !y.isInt || x.i == y.i)
	}
	switch a := a.(type) {
	case nil:
		return b == nil
	case string:
		b, ok := b.(string)
		return ok && a == b
	case undefined:
		_, ok := b.(undefined)
		return ok
	case *List:
		b, ok := b.(*List)
		if !ok || a.tuple != b.tuple || len(a.Items) != len(b.Items) {
			return false
		}
		for i := range a.Items {
			if !equal(a.Items[i], b.Items[i]) {
				return false
			}
		}
		return true
	case *Dict:
		b, ok := b.(*Dict)
		if !ok || len(a.keys) != len(b.keys) {
			return false
		}
		for _, k := range a.keys {
			if v, ok := b.Get(k); !ok || !equal(a.at(k), v) {
				return false
			}
		}
		return true
	case *namespace:
		return a == b
	default:
		return false
	}
}

// compare orders two values, or fails where Python does.
func compare(a, b any) (int, error) {
	if x, ok := toNumber(a); ok {
		if y, ok := toNumber(b); ok {
			if x.isInt && y.isInt {
				return cmp.Compare(x.i, y.i), nil
			}
			return cmp.Compare(x.f, y.f), nil
		}
	}
	switch x := a.(type) {
	case string:
		if y, ok := b.(string); ok {
			return strings.Compare(x, y), nil
		}
	case *List:
		if y, ok := b.(*List); ok && x.tuple == y.tuple {
			for i := 0; i < min(len(x.Items), len(y.Items)); i++ {
				if !equal(x.Items[i], y.Items[i]) {
					return compare(x.Items[i], y.Items[i])
				}
			}
			return cmp.Compare(len(x.Items), len(y.Items)), nil
		}
	}
	return 0, fmt.Errorf("%q and %q cannot be ordered", typeName(a), typeName(b))
}

var errZero = errors.New("division by zero")

// arithmetic is one of the operators on two numbers.
func arithmetic(op string, x, y number) (any, error) {
	if op != "/" && x.isInt && y.isInt {
		return intArithmetic(op, x.i, y.i)
	}
	switch op {
	case "+":
		return x.f + y.f, nil
	case "-":
		return x.f - y.f, nil
	case "*":
		return x.f * y.f, nil
	case "**":
		return math.Pow(x.f, y.f), nil
	}
	if y.f == 0 {
		return nil, errZero
	}
	switch op {
	case "/":
		return x.f / y.f, nil
	case "//":
		return math.Floor(x.f / y.f), nil
	default: // %: the result has the sign of the divisor
		r := math.Mod(x.f, y.f)
		if r != 0 && (r < 0) != (y.f < 0) {
			r += y.f
		}
		return r, nil
	}
}

func intArithmetic(op string, x, y int) (any, error) {
	switch op {
	case "+":
		return x + y, nil
	case "-":
		return x - y, nil
	case "*":
		return x * y, nil
	case "**":
		return power(x, y)
	}
	if y == 0 {
		return nil, errZero
	}
	q, r := x/y, x%y
	if r != 0 && (r < 0) != (y < 0) {
		q, r = q-1, r+y
	}
	if op == "//" {
		return q, nil
	}
	return r, nil
}

func power(x, y int) (any, error) {
	f := math.Pow(float64(x), float64(y))
	if y < 0 {
		return f, nil
	}
	if math.Abs(f) > 1<<53 {
		return nil, errors.New("the power is too large")
	}
	return int(f), nil
}
