package jinja

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// kind tells tokens apart.
type kind int

const (
	data kind = iota // text outside of tags
	exprBegin
	exprEnd
	blockBegin
	blockEnd
	name
	literal // a string or number; its value is in val
	operator
	end
)

type token struct {
	kind kind
	text string
	val  any
	line int
}

func (t token) String() string {
	switch t.kind {
	case end:
		return "the end of the template"
	case exprEnd, blockEnd:
		return "the end of the tag"
	default:
		return fmt.Sprintf("%q", t.text)
	}
}

// lexer cuts a template into tokens. Whitespace around tags is dealt with here, so that
// the parser does not see it.
type lexer struct {
	src       string
	pos       int
	lineStart bool // the text at pos begins a line
	lines     int  // up to counted
	counted   int
	tokens    []token
}

func lex(src string) ([]token, error) {
	src = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(src)
	l := &lexer{src: strings.TrimSuffix(src, "\n"), lineStart: true}
	for l.pos < len(l.src) {
		if err := l.next(); err != nil {
			return nil, fmt.Errorf("line %d: %w", l.line(), err)
		}
	}
	l.add(end, "", nil)
	return l.tokens, nil
}

// line is the number of the line at pos.
func (l *lexer) line() int {
	pos := min(l.pos, len(l.src))
	l.lines += strings.Count(l.src[l.counted:pos], "\n")
	l.counted = pos
	return 1 + l.lines
}

func (l *lexer) add(k kind, text string, val any) {
	l.tokens = append(l.tokens, token{k, text, val, l.line()})
}

// next takes the text up to the next tag, and the tag.
func (l *lexer) next() error {
	start := nextTag(l.src[l.pos:])
	if start < 0 {
		l.add(data, l.src[l.pos:], nil)
		l.pos = len(l.src)
		return nil
	}
	text, tag := l.src[l.pos:l.pos+start], l.src[l.pos+start:l.pos+start+2]
	l.pos += start + 2
	sign := l.sign()
	if text = l.stripBefore(text, tag, sign); text != "" {
		l.add(data, text, nil)
	}
	l.lineStart = false
	switch tag {
	case "{#":
		return l.comment()
	case "{%":
		if rest, ok := rawBegin(l.src[l.pos:]); ok {
			l.pos = len(l.src) - len(rest)
			return l.raw()
		}
		l.add(blockBegin, tag, nil)
		return l.tag("%}", blockEnd)
	default:
		l.add(exprBegin, tag, nil)
		return l.tag("}}", exprEnd)
	}
}

func nextTag(s string) int {
	for i := 0; i+1 < len(s); i++ {
		if s[i] == '{' && strings.IndexByte("{%#", s[i+1]) >= 0 {
			return i
		}
	}
	return -1
}

// sign takes the mark behind the opening of a tag: '-', '+', or 0.
func (l *lexer) sign() byte {
	if l.pos < len(l.src) && (l.src[l.pos] == '-' || l.src[l.pos] == '+') {
		l.pos++
		return l.src[l.pos-1]
	}
	return 0
}

// stripBefore removes what a '-' or lstrip_blocks take from the text before a tag.
func (l *lexer) stripBefore(text, tag string, sign byte) string {
	if sign == '-' {
		return strings.TrimRightFunc(text, isSpace)
	}
	if sign == '+' || tag == "{{" {
		return text
	}
	line := strings.LastIndexByte(text, '\n') + 1
	if (line > 0 || l.lineStart) && strings.TrimFunc(text[line:], isSpace) == "" {
		return text[:line]
	}
	return text
}

// closeTag takes what a '-' or trim_blocks take from the text behind a tag.
func (l *lexer) closeTag(sign byte, trimLine bool) {
	rest := l.src[l.pos:]
	after := rest
	if sign == '-' {
		after = strings.TrimLeftFunc(rest, isSpace)
	} else if trimLine && sign != '+' {
		after = strings.TrimPrefix(rest, "\n")
	}
	l.pos += len(rest) - len(after)
	l.lineStart = strings.HasSuffix(rest[:len(rest)-len(after)], "\n")
}

func (l *lexer) comment() error {
	n := strings.Index(l.src[l.pos:], "#}")
	if n < 0 {
		return fmt.Errorf("a comment has no end")
	}
	sign := byte(0)
	if n > 0 {
		sign = l.src[l.pos+n-1]
	}
	l.pos += n + 2
	l.closeTag(sign, true)
	return nil
}

// rawBegin reports whether s, behind "{%", opens a raw block, and returns what follows.
func rawBegin(s string) (rest string, ok bool) {
	s, ok = strings.CutPrefix(strings.TrimLeftFunc(s, isSpace), "raw")
	if !ok {
		return s, false
	}
	s = strings.TrimLeftFunc(s, isSpace)
	if rest, ok = strings.CutPrefix(s, "-%}"); ok {
		return strings.TrimLeftFunc(rest, isSpace), true
	}
	return strings.CutPrefix(s, "%}")
}

// raw takes everything up to endraw as text.
func (l *lexer) raw() error {
	for at := 0; ; {
		n := strings.Index(l.src[l.pos+at:], "{%")
		if n < 0 {
			return fmt.Errorf("a raw block has no endraw")
		}
		text := l.src[l.pos : l.pos+at+n]
		at += n + 2
		sub := &lexer{src: l.src, pos: l.pos + at}
		sign := sub.sign()
		rest, ok := strings.CutPrefix(strings.TrimLeftFunc(l.src[sub.pos:], isSpace), "endraw")
		rest = strings.TrimLeftFunc(rest, isSpace)
		closing := strings.TrimLeft(rest, "-+")
		if !ok || len(rest)-len(closing) > 1 || !strings.HasPrefix(closing, "%}") {
			continue
		}
		if text = l.stripBefore(text, "{%", sign); text != "" {
			l.add(data, text, nil)
		}
		l.pos = len(l.src) - len(closing) + 2
		l.closeTag(rest[0], true)
		return nil
	}
}

// operators, longest first.
var operators = []string{
	"**", "//", "==", "!=", ">=", "<=",
	"+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=", ".", ":", "|", ",", ";",
}

// tag takes the tokens of a tag up to its end.
func (l *lexer) tag(closing string, k kind) error {
	depth := 0 // open brackets: "}}" may end two dictionaries
	for l.pos < len(l.src) {
		rest := l.src[l.pos:]
		if trimmed := strings.TrimLeftFunc(rest, isSpace); trimmed != rest {
			l.pos += len(rest) - len(trimmed)
			continue
		}
		sign := rest[0]
		if body := strings.TrimPrefix(strings.TrimPrefix(rest, "-"), "+"); depth == 0 && len(rest)-len(body) <= 1 && strings.HasPrefix(body, closing) {
			if sign != '+' || k == blockEnd {
				l.add(k, closing, nil)
				l.pos += len(rest) - len(body) + 2
				l.closeTag(sign, k == blockEnd)
				return nil
			}
		}
		if err := l.token(rest, &depth); err != nil {
			return err
		}
	}
	return fmt.Errorf("a tag has no end")
}

func (l *lexer) token(rest string, depth *int) error {
	r, _ := utf8.DecodeRuneInString(rest)
	switch {
	case r == '"' || r == '\'':
		return l.stringLiteral(rest)
	case r >= '0' && r <= '9':
		return l.number(rest)
	case r == '_' || unicode.IsLetter(r):
		n := strings.IndexFunc(rest, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) })
		if n < 0 {
			n = len(rest)
		}
		l.add(name, rest[:n], nil)
		l.pos += n
		return nil
	}
	for _, op := range operators {
		if strings.HasPrefix(rest, op) {
			*depth += strings.Count("([{", op) - strings.Count(")]}", op)
			l.add(operator, op, nil)
			l.pos += len(op)
			return nil
		}
	}
	return fmt.Errorf("unexpected %q", r)
}

// isSpace is Python's str.isspace for one character.
func isSpace(r rune) bool { return unicode.IsSpace(r) || (r >= 0x1c && r <= 0x1f) }
