package jinja

import (
	"fmt"
)

// macroStmt defines a macro.
type macroStmt struct {
	name     string
	params   []string
	defaults []expr // of the last params
	body     []stmt
	line     int
}

// macro is a macro with the scope that it was defined in.
type macro struct {
	def   *macroStmt
	scope *frame
}

// callBlock calls a macro with its body as caller().
type callBlock struct {
	call   call
	caller *macroStmt
}

func (s *macroStmt) exec(f *frame) error {
	f.vars[s.name] = &macro{def: s, scope: f}
	return nil
}

func (s callBlock) exec(f *frame) error {
	v, err := f.eval(s.call.x)
	if err != nil {
		return err
	}
	args, kwargs, err := s.call.args.eval(f)
	if err != nil {
		return err
	}
	kwargs.Set("caller", &macro{def: s.caller, scope: f})
	if v, err = f.call(v, args, kwargs); err != nil {
		return err
	}
	return f.write(text(v))
}

// call runs the body in a scope below the one of the definition; what it writes is the
// result.
func (m *macro) call(_ *frame, args []any, kwargs *Dict) (any, error) {
	d := m.def
	if len(args) > len(d.params) {
		return nil, fmt.Errorf("macro '%s' takes not more than %d argument(s)", d.name, len(d.params))
	}
	inner := m.scope.child()
	known := map[any]bool{"caller": true}
	if caller, ok := kwargs.Get("caller"); ok {
		inner.vars["caller"] = caller
	}
	for i, p := range d.params {
		known[p] = true
		v, named := kwargs.Get(p)
		optional := i - (len(d.params) - len(d.defaults))
		switch {
		case i < len(args) && named:
			return nil, fmt.Errorf("macro '%s' got multiple values for argument '%s'", d.name, p)
		case i < len(args):
			v = args[i]
		case named:
		case optional >= 0:
			var err error
			if v, err = inner.eval(d.defaults[optional]); err != nil {
				return nil, err
			}
		default:
			v = undefined{fmt.Sprintf("parameter '%s' was not provided", p)}
		}
		inner.vars[p] = v
	}
	for _, k := range kwargs.keys {
		if !known[k] {
			return nil, fmt.Errorf("macro '%s' takes no keyword argument '%s'", d.name, text(k))
		}
	}
	return inner.captured(func() error { return inner.run(d.body) })
}
