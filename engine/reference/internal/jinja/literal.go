package jinja

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// stringLiteral takes a string in either quotes.
func (l *lexer) stringLiteral(rest string) error {
	for i := 1; i < len(rest); i++ {
		switch rest[i] {
		case '\\':
			i++
		case rest[0]:
			value, err := unescape(rest[1:i])
			l.add(literal, rest[:i+1], value)
			l.pos += i + 1
			return err
		}
	}
	return fmt.Errorf("a string has no end")
}

// simpleEscapes are those of one character.
var simpleEscapes = map[byte]string{
	'\n': "", '\\': `\`, '\'': "'", '"': `"`, 'a': "\a", 'b': "\b", 'f': "\f", 'n': "\n", 'r': "\r", 't': "\t", 'v': "\v",
}

// unescape replaces Python's escapes. An unknown one stays as it is.
func unescape(s string) (string, error) {
	var b strings.Builder
	for {
		plain, rest, found := strings.Cut(s, `\`)
		b.WriteString(plain)
		if !found || rest == "" {
			return b.String(), nil
		}
		if text, ok := simpleEscapes[rest[0]]; ok {
			b.WriteString(text)
			s = rest[1:]
			continue
		}
		r, n, err := numericEscape(rest)
		if err != nil {
			return "", err
		}
		if n == 0 {
			b.WriteByte('\\')
		} else {
			b.WriteRune(r)
		}
		s = rest[n:]
	}
}

// numericEscape decodes xhh, uhhhh, Uhhhhhhhh and octal; n is 0 when s begins with none.
func numericEscape(s string) (r rune, n int, err error) {
	var digits int
	switch {
	case s[0] == 'x':
		digits = 2
	case s[0] == 'u':
		digits = 4
	case s[0] == 'U':
		digits = 8
	case s[0] == 'N':
		return 0, 0, fmt.Errorf(`the escape \N is not supported`)
	case s[0] >= '0' && s[0] <= '7':
		for n < 3 && n < len(s) && s[n] >= '0' && s[n] <= '7' {
			n++
		}
		v, _ := strconv.ParseUint(s[:n], 8, 16) // three octal digits fit
		return rune(v), n, nil
	default:
		return 0, 0, nil
	}
	if len(s) < 1+digits {
		return 0, 0, fmt.Errorf(`the escape \%s is cut short`, s)
	}
	v, err := strconv.ParseUint(s[1:1+digits], 16, 32)
	if err != nil || v > 0x10ffff {
		return 0, 0, fmt.Errorf(`the escape \%s is not a character`, s[:1+digits])
	}
	return rune(v), 1 + digits, nil
}

// number takes an integer or a decimal number; underscores may group digits.
func (l *lexer) number(rest string) error {
	n, digits, isFloat := 0, "0123456789_", false
	run := func() {
		for n < len(rest) && strings.IndexByte(digits, rest[n]) >= 0 {
			n++
		}
	}
	if len(rest) > 1 && rest[0] == '0' && strings.IndexByte("xXoObB", rest[1]) >= 0 {
		n, digits = 2, "0123456789abcdefABCDEF_"
		run()
	} else {
		run()
		isFloat = l.fraction(rest, &n, run)
	}
	text := strings.ReplaceAll(rest[:n], "_", "")
	var value any
	var err error
	if isFloat {
		value, err = strconv.ParseFloat(text, 64)
		if errors.Is(err, strconv.ErrRange) {
			err = nil // infinity, or zero
		}
	} else {
		value, err = integer(text)
	}
	l.add(literal, rest[:n], value)
	l.pos += n
	return err
}

// fraction extends n over ".5" and "e-3". A number behind a dot is an index: "a.0.1".
func (l *lexer) fraction(rest string, n *int, run func()) bool {
	if last := len(l.tokens) - 1; last >= 0 && l.tokens[last].kind == operator && l.tokens[last].text == "." {
		return false
	}
	digit := func(i int) bool { return i < len(rest) && rest[i] >= '0' && rest[i] <= '9' }
	isFloat := false
	if *n < len(rest) && rest[*n] == '.' && digit(*n+1) {
		*n++
		run()
		isFloat = true
	}
	if *n < len(rest) && (rest[*n] == 'e' || rest[*n] == 'E') {
		sign := *n + 1
		if sign < len(rest) && (rest[sign] == '+' || rest[sign] == '-') {
			sign++
		}
		if digit(sign) {
			*n = sign
			run()
			isFloat = true
		}
	}
	return isFloat
}

func integer(text string) (any, error) {
	base := 10
	if len(text) > 1 && text[0] == '0' && strings.IndexByte("xXoObB", text[1]) >= 0 {
		base = 0
	}
	v, err := strconv.ParseInt(text, base, 64)
	return int(v), err
}
