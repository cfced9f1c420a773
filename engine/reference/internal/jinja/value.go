package jinja

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

// Values are nil, bool, int, float64, string, *List, *Dict, and the types of this package
// that are not exported. Strings are counted in characters, as in Python.

// A List is a list, or a tuple.
type List struct {
	Items []any
	tuple bool
}

// A Dict keeps its keys in order. Keys are nil, bool, int, float64 or string.
type Dict struct {
	keys   []any
	values map[any]any
}

// NewDict returns an empty Dict.
func NewDict() *Dict { return &Dict{values: map[any]any{}} }

// Set adds or replaces a key.
func (d *Dict) Set(key, value any) {
	hash := hashKey(key)
	if _, ok := d.values[hash]; !ok {
		d.keys = append(d.keys, key)
	}
	d.values[hash] = value
}

// Get returns the value of a key.
func (d *Dict) Get(key any) (any, bool) {
	v, ok := d.values[hashKey(key)]
	return v, ok
}

func (d *Dict) at(key any) any { return d.values[hashKey(key)] }

// hashKey makes 1, 1.0 and true one key, as Python does.
func hashKey(key any) any {
	n, ok := toNumber(key)
	switch {
	case ok && n.isInt:
		return n.i
	case ok && n.f == math.Trunc(n.f) && math.Abs(n.f) < 1<<53:
		return int(n.f)
	default:
		return key
	}
}

// generator is what map, select and their like make: it can be read once.
type generator struct{ items []any }

// undefined is what a missing name or attribute evaluates to.
type undefined struct{ why string }

// namespace is what namespace() makes: the one thing whose attributes can be set.
type namespace struct{ vars *Dict }

// function is anything that can be called.
type function func(f *frame, args []any, kwargs *Dict) (any, error)

// typeName is Python's name of a value's type, for messages.
func typeName(v any) string {
	switch v := v.(type) {
	case nil:
		return "NoneType"
	case bool:
		return "bool"
	case int:
		return "int"
	case float64:
		return "float"
	case string:
		return "str"
	case *List:
		if v.tuple {
			return "tuple"
		}
		return "list"
	case *Dict:
		return "dict"
	case undefined:
		return "Undefined"
	default:
		return strings.TrimPrefix(fmt.Sprintf("%T", v), "*jinja.")
	}
}

// truth is Python's bool().
func truth(v any) bool {
	switch v := v.(type) {
	case nil, undefined:
		return false
	case bool:
		return v
	case int:
		return v != 0
	case float64:
		return v != 0
	case string:
		return v != ""
	case *List:
		return len(v.Items) > 0
	case *Dict:
		return len(v.keys) > 0
	default:
		return true
	}
}

// text is Python's str().
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case undefined:
		return ""
	default:
		return repr(v)
	}
}

// repr is Python's repr().
func repr(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		if v {
			return "True"
		}
		return "False"
	case int:
		return strconv.Itoa(v)
	case float64:
		return floatText(v)
	case string:
		return quote(v)
	case undefined:
		return "Undefined"
	case *List:
		parts := make([]string, len(v.Items))
		for i, item := range v.Items {
			parts[i] = repr(item)
		}
		switch {
		case !v.tuple:
			return "[" + strings.Join(parts, ", ") + "]"
		case len(parts) == 1:
			return "(" + parts[0] + ",)"
		default:
			return "(" + strings.Join(parts, ", ") + ")"
		}
	case *Dict:
		parts := make([]string, len(v.keys))
		for i, k := range v.keys {
			parts[i] = repr(k) + ": " + repr(v.at(k))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	default:
		return "<" + typeName(v) + ">"
	}
}

// floatText is Python's repr of a float: the shortest digits, with an exponent only where
// the number is very large or very small.
func floatText(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	case math.IsNaN(f):
		return "nan"
	}
	if abs := math.Abs(f); abs != 0 && (abs < 1e-4 || abs >= 1e16) {
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// quote is Python's repr of a string.
func quote(s string) string {
	mark := byte('\'')
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		mark = '"'
	}
	b := []byte{mark}
	for _, r := range s {
		switch {
		case r == rune(mark) || r == '\\':
			b = append(b, '\\')
			b = utf8.AppendRune(b, r)
		case r == '\n':
			b = append(b, `\n`...)
		case r == '\r':
			b = append(b, `\r`...)
		case r == '\t':
			b = append(b, `\t`...)
		case strconv.IsPrint(r):
			b = utf8.AppendRune(b, r)
		case r < 0x100:
			b = fmt.Appendf(b, `\x%02x`, r)
		case r < 0x10000:
			b = fmt.Appendf(b, `\u%04x`, r)
		default:
			b = fmt.Appendf(b, `\U%08x`, r)
		}
	}
	return string(append(b, mark))
}

// iterate returns the elements of what Python can iterate over.
func iterate(v any) ([]any, error) {
	switch v := v.(type) {
	case *List:
		return v.Items, nil
	case *Dict:
		return v.keys, nil
	case *generator:
		items := v.items
		v.items = nil
		return items, nil
	case string:
		var out []any
		for _, r := range v {
			out = append(out, string(r))
		}
		return out, nil
	case undefined:
		return nil, nil
	default:
		return nil, fmt.Errorf("%q object is not iterable", typeName(v))
	}
}

// length is Python's len().
func length(v any) (int, error) {
	switch v := v.(type) {
	case *List:
		return len(v.Items), nil
	case *Dict:
		return len(v.keys), nil
	case string:
		return utf8.RuneCountInString(v), nil
	case undefined:
		return 0, nil
	default:
		return 0, fmt.Errorf("object of type %q has no len()", typeName(v))
	}
}

// upper and lower are Python's: one character may become several.
func upper(s string) string { return cases.Upper(language.Und).String(s) }
func lower(s string) string { return cases.Lower(language.Und).String(s) }
