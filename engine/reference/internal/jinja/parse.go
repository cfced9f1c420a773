package jinja

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A Template is a parsed template. It is safe for concurrent use.
type Template struct{ body []stmt }

// Parse parses the source of a template.
func Parse(source string) (*Template, error) {
	tokens, err := lex(source)
	if err != nil {
		return nil, err
	}
	p := &parser{tokens: tokens}
	body, err := p.block()
	if err != nil {
		return nil, at(p.peek().line, err)
	}
	return &Template{body: body}, nil
}

// Render runs the template with the given variables.
func (t *Template) Render(vars map[string]any) (string, error) {
	root := &frame{rendering: &rendering{}, vars: globals(), out: &strings.Builder{}}
	top := root.child()
	maps.Copy(top.vars, vars)
	err := top.run(t.body)
	return top.out.String(), err
}

// parser turns tokens into statements. Its methods are named after what they parse.
type parser struct {
	tokens []token
	pos    int
	depth  int // of nesting
	loops  int // around the place
}

// maxNesting bounds tags within tags and brackets within brackets.
const maxNesting = 300

func (p *parser) peek() token { return p.tokens[p.pos] }

func (p *parser) next() token {
	t := p.tokens[p.pos]
	if t.kind != end {
		p.pos++
	}
	return t
}

// is reports whether a token is the operator or keyword s.
func (t token) is(s string) bool { return (t.kind == operator || t.kind == name) && t.text == s }

// skip takes the operator or keyword s, if it is next.
func (p *parser) skip(s string) bool {
	if p.peek().is(s) {
		p.pos++
		return true
	}
	return false
}

func (p *parser) expect(s string) error {
	if !p.skip(s) {
		return fmt.Errorf("expected %q, got %v", s, p.peek())
	}
	return nil
}

func (p *parser) expectKind(k kind, what string) (token, error) {
	if t := p.next(); t.kind == k {
		return t, nil
	}
	p.pos--
	return token{}, fmt.Errorf("expected %s, got %v", what, p.peek())
}

func (p *parser) nest() error {
	if p.depth++; p.depth > maxNesting {
		return errors.New("the template is nested too deeply")
	}
	return nil
}

// block parses up to a tag that begins with one of ends, which is left to the caller, or
// up to the end of the template when there are none.
func (p *parser) block(ends ...string) (body []stmt, err error) {
	if err = p.nest(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	for {
		t := p.next()
		switch t.kind {
		case end:
			if len(ends) > 0 {
				return nil, fmt.Errorf("expected %s before the end of the template", strings.Join(ends, " or "))
			}
			return body, nil
		case data:
			body = append(body, plainText(t.text))
			continue
		case exprBegin:
			x, err := p.tuple(true)
			if err != nil {
				return nil, err
			}
			if _, err = p.expectKind(exprEnd, "the end of the print tag"); err != nil {
				return nil, err
			}
			body = append(body, output{x, t.line})
			continue
		default: // a tag
		}
		if tag := p.peek(); tag.kind == name && slices.Contains(ends, tag.text) {
			return body, nil
		}
		s, err := p.statement()
		if err != nil {
			return nil, at(t.line, err)
		}
		body = append(body, s)
	}
}

// statement parses a tag, and the body that belongs to it.
func (p *parser) statement() (stmt, error) {
	t, err := p.expectKind(name, "a tag name")
	if err != nil {
		return nil, err
	}
	parse, ok := map[string]func() (stmt, error){
		"if": p.ifTag, "for": p.forTag, "set": p.setTag, "macro": p.macroTag, "call": p.callTag, "with": p.withTag,
		"filter": p.filterTag, "generation": p.generationTag, "break": p.controlTag(breakStmt{}), "continue": p.controlTag(nextStmt{}),
	}[t.text]
	if !ok {
		return nil, fmt.Errorf("the tag %q is not supported", t.text)
	}
	return parse()
}

// body parses the rest of a tag and the statements up to the one that ends it.
func (p *parser) body(ends ...string) ([]stmt, error) {
	p.skip(":") // allowed, as in Python
	if err := p.endTag(); err != nil {
		return nil, err
	}
	return p.block(ends...)
}

func (p *parser) endTag() error {
	_, err := p.expectKind(blockEnd, "the end of the tag")
	return err
}

// closed parses a body that ends with the tag last, which is taken.
func (p *parser) closed(last string) ([]stmt, error) {
	body, err := p.body(last)
	if err == nil {
		p.next()
		err = p.endTag()
	}
	return body, err
}

func (p *parser) ifTag() (stmt, error) {
	var s ifStmt
	for {
		t, err := p.tuple(false)
		if err != nil {
			return nil, err
		}
		body, err := p.body("elif", "else", "endif")
		if err != nil {
			return nil, err
		}
		s.tests, s.bodies = append(s.tests, t), append(s.bodies, body)
		switch p.next().text {
		case "elif":
			continue
		case "else":
			s.otherwise, err = p.closed("endif")
			return s, err
		default:
			return s, p.endTag()
		}
	}
}

func (p *parser) forTag() (stmt, error) {
	s := &forStmt{line: p.peek().line}
	var err error
	if s.to, err = p.target("in"); err != nil {
		return nil, err
	}
	if s.to.has("loop") {
		return nil, errors.New("a loop cannot assign to its variable 'loop'")
	}
	if err = p.expect("in"); err != nil {
		return nil, err
	}
	if s.over, err = p.tuple(false, "recursive"); err != nil {
		return nil, err
	}
	if p.skip("if") {
		if s.test, err = p.expression(); err != nil {
			return nil, err
		}
	}
	s.recursive = p.skip("recursive")
	p.loops++
	s.body, err = p.body("endfor", "else")
	p.loops--
	if err != nil {
		return nil, err
	}
	if p.next().text == "else" {
		s.otherwise, err = p.closed("endfor")
		return s, err
	}
	return s, p.endTag()
}

func (p *parser) setTag() (stmt, error) {
	line := p.peek().line
	to, err := p.target("")
	if err != nil {
		return nil, err
	}
	if p.skip("=") {
		x, tupleErr := p.tuple(true)
		if tupleErr != nil {
			return nil, tupleErr
		}
		return setStmt{to, x, line}, p.endTag()
	}
	filters, err := p.filters()
	if err != nil {
		return nil, err
	}
	body, err := p.closed("endset")
	return setBlock{to, filters, body}, err
}

func (p *parser) macroTag() (stmt, error) {
	t, err := p.expectKind(name, "the name of the macro")
	if err != nil {
		return nil, err
	}
	return p.macroBody(t, "endmacro")
}

// macroBody parses parameters and body of a macro. Loops around it do not count.
func (p *parser) macroBody(t token, last string) (*macroStmt, error) {
	m := &macroStmt{name: t.text, line: t.line}
	if err := p.parameters(m); err != nil {
		return nil, err
	}
	loops := p.loops
	p.loops = 0
	var err error
	m.body, err = p.closed(last)
	p.loops = loops
	return m, err
}

func (p *parser) parameters(m *macroStmt) error {
	if err := p.expect("("); err != nil {
		return err
	}
	for !p.skip(")") {
		if len(m.params) > 0 {
			if err := p.expect(","); err != nil {
				return err
			}
		}
		t, err := p.expectKind(name, "a parameter")
		if err != nil {
			return err
		}
		if m.params = append(m.params, t.text); p.skip("=") {
			x, err := p.expression()
			if err != nil {
				return err
			}
			m.defaults = append(m.defaults, x)
		} else if len(m.defaults) > 0 {
			return errors.New("non-default argument follows default argument")
		}
	}
	return nil
}

func (p *parser) callTag() (stmt, error) {
	t := token{text: "caller", line: p.peek().line}
	m := &macroStmt{name: t.text, line: t.line}
	if p.peek().is("(") {
		if err := p.parameters(m); err != nil {
			return nil, err
		}
	}
	x, err := p.expression()
	if err != nil {
		return nil, err
	}
	c, ok := x.(call)
	if !ok {
		return nil, errors.New("expected a call")
	}
	m.body, err = p.closed("endcall")
	return callBlock{c, m}, err
}

func (p *parser) withTag() (stmt, error) {
	var s withStmt
	for p.peek().kind != blockEnd {
		if len(s.to) > 0 {
			if err := p.expect(","); err != nil {
				return nil, err
			}
		}
		to, err := p.target("=")
		if err != nil {
			return nil, err
		}
		if err = p.expect("="); err != nil {
			return nil, err
		}
		x, err := p.expression()
		if err != nil {
			return nil, err
		}
		s.to, s.x = append(s.to, to), append(s.x, x)
	}
	var err error
	s.body, err = p.closed("endwith")
	return s, err
}

func (p *parser) filterTag() (stmt, error) {
	first, err := p.filter(nil)
	if err != nil {
		return nil, err
	}
	more, err := p.filters()
	if err != nil {
		return nil, err
	}
	body, err := p.closed("endfilter")
	return filterBlock{append([]filter{first}, more...), body}, err
}

func (p *parser) generationTag() (stmt, error) {
	body, err := p.closed("endgeneration")
	return transparent(body), err
}

func (p *parser) controlTag(s stmt) func() (stmt, error) {
	return func() (stmt, error) {
		if p.loops == 0 {
			return nil, errors.New("break and continue belong into a loop")
		}
		return s, p.endTag()
	}
}

// target parses what stands left of "=" or "in". A tuple ends before the keyword last.
func (p *parser) target(last string) (target, error) {
	if err := p.nest(); err != nil {
		return target{}, err
	}
	defer func() { p.depth-- }()
	var list []target
	for {
		t, err := p.oneTarget()
		if err != nil {
			return target{}, err
		}
		list = append(list, t)
		if !p.skip(",") {
			break
		}
		if last != "" && p.peek().is(last) || p.peek().kind == blockEnd {
			return target{tuple: list}, nil
		}
	}
	if len(list) == 1 {
		return list[0], nil
	}
	return target{tuple: list}, nil
}

func (p *parser) oneTarget() (target, error) {
	if p.skip("(") {
		t, err := p.target(")")
		if err == nil {
			err = p.expect(")")
		}
		return t, err
	}
	t, err := p.expectKind(name, "a name to assign to")
	if err != nil {
		return target{}, err
	}
	if slices.Contains([]string{"true", "false", "none", "True", "False", "None"}, t.text) {
		return target{}, fmt.Errorf("cannot assign to %q", t.text)
	}
	to := target{name: t.text}
	if p.skip(".") {
		attr, err := p.expectKind(name, "an attribute to assign to")
		to.attr = attr.text
		return to, err
	}
	return to, nil
}
