package hub

import (
	"slices"
	"strings"
)

// patterns are those of Python's fnmatch, which knows no special slash.
type patterns [][]rune

// newPatterns normalizes them as huggingface_hub does.
func newPatterns(list []string) patterns {
	var ps patterns
	for _, p := range list {
		p = strings.ReplaceAll(p, `\`, "/")
		if strings.HasSuffix(p, "/") {
			p += "*"
		}
		ps = append(ps, []rune(p))
	}
	return ps
}

// match reports whether the path matches one of the patterns.
func (ps patterns) match(path string) bool {
	name := []rune(path)
	return slices.ContainsFunc(ps, func(p []rune) bool { return fnmatch(p, name) })
}

// fnmatch takes at a mismatch one more rune for the last star: no other has to be tried again.
func fnmatch(pattern, name []rune) bool {
	p, n, star, mark := 0, 0, -1, 0
	for n < len(name) {
		if p < len(pattern) && pattern[p] == '*' {
			star, mark = p, n
			p++
			continue
		}
		if size := one(pattern[p:], name[n]); size > 0 {
			p += size
			n++
			continue
		}
		if star < 0 {
			return false
		}
		mark++
		p, n = star+1, mark
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// one matches a rune with the beginning of a pattern, and returns how long that is; 0 means
// that it does not match.
func one(pattern []rune, r rune) int {
	switch {
	case len(pattern) == 0:
		return 0
	case pattern[0] == '?':
		return 1
	case pattern[0] == '[':
		if end := classEnd(pattern); end > 0 {
			if inClass(pattern[1:end], r) {
				return end + 1
			}
			return 0
		}
	}
	if pattern[0] == r {
		return 1
	}
	return 0
}

// classEnd returns where the "]" of a class is, or 0: then its "[" means itself. The first
// rune of a class may be "]".
func classEnd(pattern []rune) int {
	from := 1
	if from < len(pattern) && pattern[from] == '!' {
		from++
	}
	from = min(from+1, len(pattern))
	if i := slices.Index(pattern[from:], ']'); i >= 0 {
		return from + i
	}
	return 0
}

func inClass(class []rune, r rune) bool {
	not := class[0] == '!'
	if not {
		class = class[1:]
	}
	found := false
	for i := 0; i < len(class); i++ {
		if i+2 < len(class) && class[i+1] == '-' {
			found = found || class[i] <= r && r <= class[i+2]
			i += 2
			continue
		}
		found = found || class[i] == r
	}
	return found != not
}
