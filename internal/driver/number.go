package driver

import (
	"reflect"
	"strconv"
)

// Number reads a number of any of Go's types, also one that is written as text.
func Number(v any) (float64, bool) {
	switch n := reflect.ValueOf(Plain(v)); {
	case n.CanFloat():
		return n.Float(), true
	case n.CanInt():
		return float64(n.Int()), true
	case n.CanUint():
		return float64(n.Uint()), true
	case n.Kind() == reflect.String:
		f, err := strconv.ParseFloat(n.String(), 64)
		return f, err == nil
	}
	return 0, false
}
