package jinja

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

type filterFunc func(f *frame, v any, args []any, kwargs *Dict) (any, error)

// filterNamed returns a filter, or nil. It is no variable, as some filters use others.
func filterNamed(name string) filterFunc {
	return map[string]filterFunc{
		"abs": absFilter, "capitalize": textFilter(capitalize), "count": lengthFilter, "d": defaultFilter,
		"default": defaultFilter, "dictsort": dictSort, "first": firstFilter, "float": floatFilter, "format": formatFilter,
		"indent": indentFilter, "int": intFilter, "items": itemsFilter, "join": joinFilter, "last": lastFilter,
		"length": lengthFilter, "list": listFilter, "lower": textFilter(lower), "map": mapFilter,
		"max": extremeFilter(1), "min": extremeFilter(-1), "reject": selectFilter(false, false),
		"rejectattr": selectFilter(false, true), "replace": replaceFilter, "reverse": reverseFilter, "round": roundFilter,
		"select":     selectFilter(true, false),
		"selectattr": selectFilter(true, true), "sort": sortFilter, "string": textFilter(func(s string) string { return s }),
		"sum": sumFilter, "title": textFilter(titleWords), "tojson": toJSON, "trim": trimFilter, "unique": uniqueFilter,
		"upper": textFilter(upper),
	}[name]
}

func textFilter(f func(string) string) filterFunc {
	return func(_ *frame, v any, args []any, kwargs *Dict) (any, error) {
		return f(text(v)), bind(args, kwargs).err
	}
}

// titleWords is Jinja's title, which differs from Python's: words begin behind spaces,
// dashes and opening brackets only.
func titleWords(s string) string {
	var b strings.Builder
	first := true
	for _, r := range s {
		if first {
			b.WriteString(upper(string(r)))
		} else {
			b.WriteString(lower(string(r)))
		}
		first = isSpace(r) || strings.ContainsRune("-({[<", r)
	}
	return b.String()
}

func trimFilter(_ *frame, v any, args []any, kwargs *Dict) (any, error) {
	p := bind(args, kwargs, "chars")
	return strip(text(v), p.value("chars", nil), true, true, p)
}

func replaceFilter(_ *frame, v any, args []any, kwargs *Dict) (any, error) {
	p := bind(args, kwargs, "old", "new", "count")
	return replaced(text(v), p.str("old"), p.str("new"), p.integer("count", -1), p.err)
}

func lengthFilter(_ *frame, v any, args []any, kwargs *Dict) (any, error) {
	n, err := length(v)
	return n, errors.Join(err, bind(args, kwargs).err)
}

func defaultFilter(_ *frame, v any, args []any, kwargs *Dict) (any, error) {
	p := bind(args, kwargs, "default_value", "boolean")
	if _, missing := v.(undefined); missing || (p.flag("boolean") && !truth(v)) {
		return p.value("default_value", ""), p.err
	}
	return v, p.err
}

func formatFilter(_ *frame, v any, args []any, kwargs *Dict) (any, error) {
	if len(kwargs.keys) > 0 {
		return nil, errors.New("named arguments are not supported")
	}
	return percent(text(v), &List{Items: args, tuple: true})
}

func indentFilter(_ *frame, v any, args []any, kwargs *Dict) (any, error) {
	p := bind(args, kwargs, "width", "first", "blank")
	by, ok := p.value("width", 4).(string)
	if !ok {
		by = strings.Repeat(" ", min(max(p.integer("width", 4), 0), 1000))
	}
	lines := strings.Split(text(v), "\n")
	if len(lines)*len(by) > maxSize {
		return nil, errTooLarge
	}
	for i, line := range lines {
		if (i > 0 || p.flag("first")) && (line != "" || i == 0 || p.flag("blank")) {
			lines[i] = by + line
		}
	}
	return strings.Join(lines, "\n"), p.err
}

func absFilter(_ *frame, v any, args []any, kwargs *Dict) (any, error) {
	n, ok := toNumber(v)
	switch {
	case !ok:
		return nil, fmt.Errorf("bad operand type: %q", typeName(v))
	case n.isInt:
		return max(n.i, -n.i), bind(args, kwargs).err
	default:
		return math.Abs(n.f), bind(args, kwargs).err
	}
}

func intFilter(_ *frame, v any, args []any, kwargs *Dict) (any, error) {
	p := bind(args, kwargs, "default", "base")
	if n, ok := toNumber(v); ok {
		if n.isInt {
			return n.i, p.err
		}
		return int(n.f), p.err
	}
	s, _ := v.(string)
	if i, err := strconv.ParseInt(strings.TrimFunc(s, isSpace), p.integer("base", 10), 64); err == nil {
		return int(i), p.err
	}
	if f, err := strconv.ParseFloat(strings.TrimFunc(s, isSpace), 64); err == nil && math.Abs(f) < 1<<53 {
		return int(f), p.err
	}
	return p.value("default", 0), p.err
}

func floatFilter(_ *frame, v any, args []any, kwargs *Dict) (any, error) {
	p := bind(args, kwargs, "default")
	if n, ok := toNumber(v); ok {
		return n.f, p.err
	}
	s, _ := v.(string)
	if f, err := strconv.ParseFloat(strings.TrimFunc(s, isSpace), 64); err == nil {
		return f, p.err
	}
	return p.value("default", 0.0), p.err
}

func roundFilter(_ *frame, v any, args []any, kwargs *Dict) (any, error) {
	p := bind(args, kwargs, "precision", "method")
	n, ok := toNumber(v)
	if !ok {
		return nil, fmt.Errorf("%q cannot be rounded", typeName(v))
	}
	scale := math.Pow10(p.integer("precision", 0))
	switch p.str("method", "common") {
	case "common":
		if n.isInt && p.integer("precision", 0) >= 0 {
			return n.i, p.err
		}
		return math.RoundToEven(n.f*scale) / scale, p.err
	case "ceil":
		return math.Ceil(n.f*scale) / scale, p.err
	case "floor":
		return math.Floor(n.f*scale) / scale, p.err
	default:
		return nil, errors.New("method must be common, ceil or floor")
	}
}
