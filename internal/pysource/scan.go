package pysource

import "strings"

// WithoutDocs takes out what stands between triple quotes.
func WithoutDocs(src string) string {
	parts := strings.Split(src, `"""`)
	var b strings.Builder
	for i := 0; i < len(parts); i += 2 {
		b.WriteString(parts[i])
	}
	return b.String()
}

// Balanced returns the text up to the bracket, of the kinds ( and [, that closes the one
// before src. Brackets in strings do not count; "" means that none closes it.
func Balanced(src string) string {
	level, quote := 1, byte(0)
	for i := range len(src) {
		c := src[i]
		switch {
		case quote != 0:
			if c == quote && src[i-1] != '\\' {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '(' || c == '[':
			level++
		case c == ')' || c == ']':
			level--
			if level == 0 {
				return src[:i]
			}
		}
	}
	return ""
}
