package jinja

import (
	"errors"
	"fmt"
	"slices"
)

// tuple parses an expression, or several with commas between them. A tuple ends before the
// end of the tag, a closing parenthesis, or the keyword last.
func (p *parser) tuple(conditional bool, last ...string) (expr, error) {
	var items []expr
	for {
		if t := p.peek(); t.kind == exprEnd || t.kind == blockEnd || t.is(")") || slices.ContainsFunc(last, t.is) {
			break
		}
		parse := p.or
		if conditional {
			parse = p.expression
		}
		x, err := parse()
		if err != nil {
			return nil, err
		}
		items = append(items, x)
		if !p.skip(",") {
			if len(items) == 1 {
				return x, nil
			}
			break
		}
	}
	if len(items) == 0 {
		return nil, fmt.Errorf("expected an expression, got %v", p.peek())
	}
	return listExpr{items, true}, nil
}

// expression parses "a if b else c" and all that binds tighter.
func (p *parser) expression() (expr, error) {
	if err := p.nest(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	x, err := p.or()
	for err == nil && p.skip("if") {
		c := condition{then: x}
		if c.test, err = p.or(); err != nil {
			return nil, err
		}
		if p.skip("else") {
			if c.otherwise, err = p.expression(); err != nil {
				return nil, err
			}
		}
		x = c
	}
	return x, err
}

func (p *parser) or() (expr, error)  { return p.logic("or", p.and) }
func (p *parser) and() (expr, error) { return p.logic("and", p.not) }

func (p *parser) logic(word string, operand func() (expr, error)) (expr, error) {
	left, err := operand()
	for err == nil && p.skip(word) {
		var right expr
		right, err = operand()
		left = logic{word == "or", left, right}
	}
	return left, err
}

func (p *parser) not() (expr, error) {
	if !p.skip("not") {
		return p.comparison()
	}
	if err := p.nest(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	x, err := p.not()
	return not{x}, err
}

func (p *parser) comparison() (expr, error) {
	first, err := p.sum()
	c := compares{first: first}
	for err == nil {
		op, ok := p.comparisonOperator()
		if !ok {
			break
		}
		var right expr
		right, err = p.sum()
		c.ops, c.rest = append(c.ops, op), append(c.rest, right)
	}
	if len(c.ops) == 0 {
		return first, err
	}
	return c, err
}

func (p *parser) comparisonOperator() (string, bool) {
	t := p.peek()
	switch {
	case t.kind == operator && slices.Contains([]string{"==", "!=", "<", "<=", ">", ">="}, t.text):
		p.next()
		return t.text, true
	case p.skip("in"):
		return "in", true
	case t.is("not") && p.tokens[p.pos+1].is("in"): // a tag has an end: there is one more
		p.pos += 2
		return "not in", true
	default:
		return "", false
	}
}

func (p *parser) sum() (expr, error)     { return p.operations(p.concat, "+", "-") }
func (p *parser) product() (expr, error) { return p.operations(p.power, "*", "/", "//", "%") }
func (p *parser) power() (expr, error)   { return p.operations(p.unary, "**") }

// operations parses operands with any of ops between them, from left to right.
func (p *parser) operations(operand func() (expr, error), ops ...string) (expr, error) {
	left, err := operand()
	for err == nil && p.peek().kind == operator && slices.Contains(ops, p.peek().text) {
		op := p.next().text
		var right expr
		right, err = operand()
		left = operation{op, left, right}
	}
	return left, err
}

func (p *parser) concat() (expr, error) {
	x, err := p.product()
	parts := []expr{x}
	for err == nil && p.skip("~") {
		x, err = p.product()
		parts = append(parts, x)
	}
	if len(parts) == 1 {
		return x, err
	}
	return concat{parts}, err
}

func (p *parser) unary() (expr, error) {
	x, err := p.signed()
	if err != nil {
		return nil, err
	}
	return p.filtered(x)
}

// signed parses a value with its postfixes, but without filters: they apply to the whole.
func (p *parser) signed() (expr, error) {
	if err := p.nest(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	var x expr
	var err error
	switch {
	case p.skip("-"):
		x, err = p.signed()
		x = negate{x}
	case p.skip("+"):
		x, err = p.signed()
	default:
		x, err = p.primary()
	}
	if err != nil {
		return nil, err
	}
	return p.postfix(x)
}

func (p *parser) primary() (expr, error) {
	t := p.next()
	switch {
	case t.kind == literal:
		return p.literals(t), nil
	case t.kind == name:
		switch t.text {
		case "true", "True":
			return constant{true}, nil
		case "false", "False":
			return constant{false}, nil
		case "none", "None":
			return constant{nil}, nil
		}
		return variable{t.text}, nil
	case t.is("("):
		if p.skip(")") {
			return listExpr{tuple: true}, nil
		}
		x, err := p.tuple(true)
		if err == nil {
			err = p.expect(")")
		}
		return x, err
	case t.is("["):
		items, err := p.list("]", p.expression)
		return listExpr{items: items}, err
	case t.is("{"):
		return p.dict()
	default:
		p.pos-- // for the line of the error
		return nil, fmt.Errorf("unexpected %v", t)
	}
}

// literals joins strings that follow each other.
func (p *parser) literals(t token) expr {
	s, ok := t.val.(string)
	for ok && p.peek().kind == literal {
		more, isString := p.peek().val.(string)
		if !isString {
			break
		}
		s += more
		p.next()
	}
	if ok {
		return constant{s}
	}
	return constant{t.val}
}

// list parses what stands between commas up to the operator last.
func (p *parser) list(last string, element func() (expr, error)) ([]expr, error) {
	var items []expr
	for !p.skip(last) {
		if len(items) > 0 {
			if err := p.expect(","); err != nil {
				return nil, err
			}
			if p.skip(last) {
				break
			}
		}
		x, err := element()
		if err != nil {
			return nil, err
		}
		items = append(items, x)
	}
	return items, nil
}

func (p *parser) dict() (expr, error) {
	var d dictExpr
	values, err := p.list("}", func() (expr, error) {
		k, err := p.expression()
		if err != nil {
			return nil, err
		}
		if err = p.expect(":"); err != nil {
			return nil, err
		}
		d.keys = append(d.keys, k)
		return p.expression()
	})
	d.values = values
	return d, err
}

func (p *parser) postfix(x expr) (expr, error) {
	return p.behind(x, ".", p.attribute, "[", p.subscript)
}

// behind parses what may follow a value any number of times: two operators and calls.
func (p *parser) behind(x expr, op1 string, f1 func(expr) (expr, error), op2 string, f2 func(expr) (expr, error)) (_ expr, err error) {
	for err == nil {
		switch {
		case p.skip(op1):
			x, err = f1(x)
		case p.skip(op2):
			x, err = f2(x)
		case p.peek().is("("):
			x, err = p.callOf(x)
		default:
			return x, nil
		}
	}
	return nil, err
}

func (p *parser) attribute(x expr) (expr, error) {
	t := p.next()
	if n, ok := t.val.(int); ok && t.kind == literal {
		return getItem{x, constant{n}}, nil
	}
	if t.kind != name {
		return nil, fmt.Errorf("expected name or number, got %v", t)
	}
	return getAttr{x, t.text}, nil
}

func (p *parser) subscript(x expr) (expr, error) {
	var parts [3]expr
	colons := 0
	for !p.peek().is("]") {
		if p.skip(":") {
			if colons++; colons > 2 {
				return nil, errors.New("a slice has at most three parts")
			}
			continue
		}
		if parts[colons] != nil {
			return nil, fmt.Errorf("expected \"]\", got %v", p.peek())
		}
		part, err := p.expression()
		if err != nil {
			return nil, err
		}
		parts[colons] = part
	}
	p.next()
	switch {
	case colons > 0:
		return getSlice{x, parts[0], parts[1], parts[2]}, nil
	case parts[0] == nil:
		return nil, errors.New("expected a subscript")
	default:
		return getItem{x, parts[0]}, nil
	}
}

func (p *parser) callOf(x expr) (expr, error) {
	args, err := p.arguments()
	return call{x, args}, err
}

func (p *parser) arguments() (a arguments, err error) {
	if err = p.expect("("); err != nil {
		return a, err
	}
	_, err = p.list(")", func() (x expr, err error) {
		named := p.peek().kind == name && p.tokens[p.pos+1].is("=") // there is one more, as above
		switch {
		case a.stars != nil, a.star != nil && !named && !p.peek().is("**"), len(a.names) > 0 && !named && !p.peek().is("*") && !p.peek().is("**"):
			return nil, errors.New("invalid syntax for function call expression")
		case p.skip("*"):
			a.star, err = p.expression()
		case p.skip("**"):
			a.stars, err = p.expression()
		case named:
			a.names = append(a.names, p.next().text)
			p.next()
			x, err = p.expression()
			a.named = append(a.named, x)
		default:
			x, err = p.expression()
			a.list = append(a.list, x)
		}
		return x, err
	})
	return a, err
}

// filtered parses filters, tests and calls behind a value.
func (p *parser) filtered(x expr) (expr, error) {
	return p.behind(x, "|", func(x expr) (expr, error) { return p.filter(x) }, "is", p.test)
}

// filters parses what follows a block set or a filter tag.
func (p *parser) filters() (out []filter, err error) {
	for p.skip("|") {
		f, err := p.filter(nil)
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

func (p *parser) filter(x expr) (filter, error) {
	t, err := p.expectKind(name, "the name of a filter")
	if err != nil {
		return filter{}, err
	}
	f := filter{x: x, name: t.text}
	if f.f = filterNamed(t.text); f.f == nil {
		return f, fmt.Errorf("there is no filter %q, or it is not supported", t.text)
	}
	if p.peek().is("(") {
		f.args, err = p.arguments()
	}
	return f, err
}

func (p *parser) test(x expr) (expr, error) {
	negated := p.skip("not")
	t, err := p.expectKind(name, "the name of a test")
	if err != nil {
		return nil, err
	}
	c := test{x: x, f: tests[t.text]}
	if c.f == nil {
		return nil, fmt.Errorf("there is no test %q, or it is not supported", t.text)
	}
	arg := p.peek()
	switch {
	case arg.is("("):
		c.args, err = p.arguments()
	case arg.is("else") || arg.is("or") || arg.is("and"):
	case arg.is("is"):
		err = errors.New("tests cannot be chained with is")
	case arg.kind == name || arg.kind == literal || arg.is("[") || arg.is("{"):
		var x expr
		if x, err = p.primary(); err == nil {
			x, err = p.postfix(x)
		}
		c.args.list = []expr{x}
	}
	if negated {
		return not{c}, err
	}
	return c, err
}
