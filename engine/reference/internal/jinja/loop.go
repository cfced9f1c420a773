package jinja

import (
	"errors"
	"fmt"
)

// forStmt is a loop. Each round has a scope of its own.
type forStmt struct {
	to        target
	over      expr
	test      expr // nil for all elements
	body      []stmt
	otherwise []stmt
	recursive bool
	line      int
}

// loop is the variable of that name.
type loop struct {
	stmt    *forStmt
	frame   *frame // around the loop
	items   []any
	index   int
	depth   int
	changed []any // what changed() saw last; nil before the first call
}

func (s *forStmt) exec(f *frame) error {
	v, err := f.eval(s.over)
	if err != nil {
		return at(s.line, err)
	}
	return s.run(f, v, 0)
}

func (s *forStmt) run(f *frame, v any, depth int) error {
	items, err := iterate(v)
	if err == nil && s.test != nil {
		items, err = s.chosen(f, items)
	}
	if err != nil {
		return at(s.line, err)
	}
	if len(items) == 0 {
		return f.child().run(s.otherwise)
	}
	l := &loop{stmt: s, frame: f, items: items, depth: depth}
	for l.index = range items {
		round := f.child()
		round.vars["loop"] = l
		if err := s.to.assign(round, items[l.index]); err != nil {
			return at(s.line, err)
		}
		err := round.run(s.body)
		if errors.Is(err, errBreak) {
			return nil
		}
		if err != nil && !errors.Is(err, errNext) {
			return err
		}
	}
	return nil
}

// chosen returns the items for which the loop's condition holds.
func (s *forStmt) chosen(f *frame, items []any) ([]any, error) {
	var out []any
	for _, item := range items {
		inner := f.child()
		if err := s.to.assign(inner, item); err != nil {
			return nil, err
		}
		ok, err := inner.eval(s.test)
		if err != nil {
			return nil, err
		}
		if truth(ok) {
			out = append(out, item)
		}
	}
	return out, nil
}

// recurse is loop(items): the loop's body for other items, as text.
func (l *loop) recurse(args []any) (any, error) {
	if !l.stmt.recursive || len(args) != 1 {
		return nil, errors.New("the loop must have the 'recursive' marker to be called, with one argument")
	}
	inner := l.frame.child()
	return inner.captured(func() error { return l.stmt.run(inner, args[0], l.depth+1) })
}

func (l *loop) attribute(name string) any {
	n := len(l.items)
	switch name {
	case "index":
		return l.index + 1
	case "index0":
		return l.index
	case "revindex":
		return n - l.index
	case "revindex0":
		return n - l.index - 1
	case "first":
		return l.index == 0
	case "last":
		return l.index == n-1
	case "length":
		return n
	case "depth":
		return l.depth + 1
	case "depth0":
		return l.depth
	case "previtem":
		if l.index > 0 {
			return l.items[l.index-1]
		}
		return undefined{"there is no previous item"}
	case "nextitem":
		if l.index < n-1 {
			return l.items[l.index+1]
		}
		return undefined{"there is no next item"}
	case "cycle":
		return function(l.cycle)
	case "changed":
		return function(l.hasChanged)
	default:
		return undefined{fmt.Sprintf("'loop' has no attribute '%s'", name)}
	}
}

func (l *loop) cycle(_ *frame, args []any, _ *Dict) (any, error) {
	if len(args) == 0 {
		return nil, errors.New("no items for cycling given")
	}
	return args[l.index%len(args)], nil
}

func (l *loop) hasChanged(_ *frame, args []any, _ *Dict) (any, error) {
	same := l.changed != nil && equal(&List{Items: l.changed}, &List{Items: args})
	l.changed = append([]any{}, args...)
	return !same, nil
}
