package jinja

import (
	"fmt"
	"slices"
)

// params reads the arguments of a filter, method or function, in order and by name.
type params struct {
	args   []any
	kwargs *Dict
	names  []string
	err    error
}

// bind gives names to arguments; what is left over is an error.
func bind(args []any, kwargs *Dict, names ...string) *params {
	p := &params{args: args, kwargs: kwargs, names: names}
	if len(args) > len(names) {
		p.err = fmt.Errorf("takes at most %d arguments, got %d", len(names), len(args))
	}
	for _, k := range kwargs.keys {
		if i := slices.Index(names, text(k)); i < 0 || i < len(args) {
			p.err = fmt.Errorf("got an unexpected argument '%s'", text(k))
		}
	}
	return p
}

func (p *params) value(name string, otherwise any) any {
	if i := slices.Index(p.names, name); i < len(p.args) {
		return p.args[i]
	}
	if v, ok := p.kwargs.Get(name); ok {
		return v
	}
	return otherwise
}

// str returns an argument that has to be a string. Without otherwise it is required.
func (p *params) str(name string, otherwise ...string) string {
	v := p.value(name, nil)
	if s, ok := v.(string); ok {
		return s
	}
	if v == nil && len(otherwise) > 0 {
		return otherwise[0]
	}
	if p.err == nil {
		p.err = fmt.Errorf("argument '%s' must be str, not %s", name, typeName(v))
	}
	return ""
}

// integer returns an argument that has to be an integer.
func (p *params) integer(name string, otherwise int) int {
	v := p.value(name, nil)
	if v == nil {
		return otherwise
	}
	if n, ok := toNumber(v); ok && n.isInt {
		return n.i
	}
	if p.err == nil {
		p.err = fmt.Errorf("argument '%s' must be int, not %s", name, typeName(v))
	}
	return 0
}

// flag returns an argument as true or false; absent is false.
func (p *params) flag(name string) bool { return truth(p.value(name, false)) }
