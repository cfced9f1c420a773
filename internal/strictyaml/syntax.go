package strictyaml

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"

	yaml "go.yaml.in/yaml/v3"
)

// syntaxHints say what to do about the parser's commonest messages; the first that fits is
// taken. A message here replaces the parser's own, which may quote a value.
var syntaxHints = []struct{ fits, message, hint string }{
	{"\t", "a tab stands where YAML wants spaces", "indent with spaces"},
	{"unknown anchor", "an alias (*) names no anchor (&) above it", "put text that begins with * in quotes"},
	{"mapping values are not allowed", "", "put text that contains a colon and a space in quotes, and check the indentation"},
	{"cannot start any token", "", "put text that begins with @, ` or % in quotes"},
	{"expected key", "", "check the indentation of this line and the ones before it"},
	{"expected '-' indicator", "", "check the indentation of this line and the ones before it"},
	{"expected ':'", "", "write a colon and a space after each key"},
	{"expected ',' or", "", "check that brackets are closed and items separated by commas"},
	{"end of stream", "", "check that quotes and brackets are closed"},
	{"escape", "", `write \\ for a backslash in double quotes, or use single quotes`},
}

// syntax reports an error of the parser, which knows lines at best, and not always the
// right ones.
func syntax(name string, data []byte, err error, r *Report) {
	message := plainMessage(err)
	lines := bytes.SplitAfter(data, []byte("\n"))
	pos := Pos{File: name, Line: culprit(lines, message), Column: 1}
	text := strings.TrimRight(strings.TrimPrefix(string(lines[pos.Line-1]), "\ufeff"), "\r\n")
	if indent := len(text) - len(strings.TrimLeft(text, " ")); indent < len(text) {
		pos.Column = indent + 1
	}
	subject := message
	if i := strings.IndexByte(text, '\t'); i >= 0 && (strings.Contains(message, "token") || strings.Contains(message, "tab")) {
		pos.Column, subject = utf8.RuneCountInString(text[:i])+1, "\t"
	}
	hint := r.Wanted
	for _, h := range syntaxHints {
		if strings.Contains(subject, h.fits) {
			if hint = h.hint; h.message != "" {
				message = h.message
			}
			break
		}
	}
	r.fail(&Place{Pos: pos}, hint, "not YAML: %s", message)
}

var positioned = regexp.MustCompile(`^yaml: (line \d+: )?`)

func plainMessage(err error) string { return positioned.ReplaceAllString(err.Error(), "") }

// culprit returns the first line with which the text is wrong in this way: the text up to
// it gives the same message, the text before it does not. It looks from the end, in steps
// that double, since text that merely ends too early can give that message too.
func culprit(lines [][]byte, message string) int {
	fails := func(n int) bool {
		err := firstError(bytes.Join(lines[:n], nil))
		return err != nil && plainMessage(err) == message
	}
	bad, good := len(lines), 0
	for step := 1; bad-step > 0; step *= 2 {
		if !fails(bad - step) {
			good = bad - step
			break
		}
		bad -= step
	}
	for bad-good > 1 {
		if mid := (bad + good) / 2; fails(mid) {
			bad = mid
		} else {
			good = mid
		}
	}
	return bad
}

func firstError(data []byte) error {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	for {
		if _, err := document(dec); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}
