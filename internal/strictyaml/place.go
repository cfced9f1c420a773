package strictyaml

import (
	"fmt"
	"strconv"
	"strings"
)

// Pos is a place in a file. The zero Pos is nowhere: the value was made in Go.
type Pos struct {
	File   string
	Line   int // from 1
	Column int // from 1, in characters
}

// String returns "file:line:column", or "" for the zero Pos.
func (p Pos) String() string {
	if p == (Pos{}) {
		return ""
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// A Place names a value of a document by path and position. It holds no values, so it may
// be kept beside a configuration without keeping its secrets. A nil Place is nowhere.
type Place struct {
	Pos
	parent   *Place
	segment  string // ".name", "[0]" or `["a b"]`; at the root, the path that all others begin with
	children []*Place
	key      Pos // of the key, in a mapping
	null     bool
}

// Path returns the way from the root, such as applications[0].args.
func (p *Place) Path() string {
	if p == nil {
		return ""
	}
	depth := 0
	for q := p; q != nil; q = q.parent {
		depth++
	}
	segments := make([]string, depth)
	for q := p; q != nil; q = q.parent {
		depth--
		segments[depth] = q.segment
	}
	return strings.TrimPrefix(strings.Join(segments, ""), ".")
}

// Target is how errors name the place: "file:line:column path", as far as known.
func (p *Place) Target() string {
	if p == nil {
		return ""
	}
	return strings.TrimSpace(p.String() + " " + p.Path())
}

// At follows path below p and returns the deepest place that exists, and whether that is
// all of path.
func (p *Place) At(path string) (at *Place, exact bool) {
	if p == nil || path == "" {
		return p, p != nil
	}
	rest := path
	if rest[0] != '[' && rest[0] != '.' {
		rest = "." + rest
	}
	for rest != "" {
		next, after := p.step(rest)
		if next == nil {
			return p, false
		}
		p, rest = next, after
	}
	return p, true
}

func (p *Place) step(path string) (next *Place, rest string) {
	for _, c := range p.children {
		rest, ok := strings.CutPrefix(path, c.segment)
		if ok && (rest == "" || rest[0] == '.' || rest[0] == '[') {
			return c, rest
		}
	}
	return nil, path
}

func (p *Place) child(segment string, pos Pos) *Place {
	c := &Place{Pos: pos, parent: p, segment: segment}
	p.children = append(p.children, c)
	return c
}

const longestKey = 60

// Key returns the path segment of a key. What follows a "=" is hidden: a line of an
// environment that was pasted as a key has its secret there.
func Key(key string) string {
	if name, _, ok := strings.Cut(key, "="); ok && name != "" {
		key = name + "=…"
	}
	if r := []rune(key); len(r) > longestKey {
		key = string(r[:longestKey]) + "…"
	}
	if key == "" || strings.ContainsFunc(key, func(r rune) bool { return !isNameRune(r) }) {
		return "[" + strconv.Quote(key) + "]"
	}
	return "." + key
}

func isNameRune(r rune) bool {
	return r == '_' || r == '-' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
}

func index(i int) string { return "[" + strconv.Itoa(i) + "]" }
