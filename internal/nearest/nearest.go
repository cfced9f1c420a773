// Package nearest finds, among names that exist, those that a mistyped one was probably
// meant to be, and words it as a hint.
package nearest

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
)

const (
	maxNames   = 5   // how many a hint lists
	maxCompare = 200 // longer names are not compared, in bytes
)

// Of returns the names that are near to word, the nearest first, at most n: those that
// differ in a third of the letters or less, and those of which one begins with the other.
// Case does not count.
func Of(word string, names []string, n int) []string {
	if len(word) > maxCompare {
		return nil
	}
	type match struct {
		name string
		far  int
	}
	var near []match
	w := strings.ToLower(word)
	for _, name := range names {
		if far := farness(w, strings.ToLower(name)); far <= max(1, len(w)/3) {
			near = append(near, match{name, far})
		}
	}
	slices.SortStableFunc(near, func(a, b match) int {
		return cmp.Or(cmp.Compare(a.far, b.far), cmp.Compare(a.name, b.name))
	})
	var out []string
	for _, m := range near[:min(n, len(near))] {
		out = append(out, m.name)
	}
	return out
}

// Hint returns `did you mean "a" or "b"?`, else what exists, else "".
func Hint(word string, names []string) string {
	if near := Of(word, names, 3); len(near) > 0 {
		return "did you mean " + quoted(near, " or ") + "?"
	}
	if len(names) == 0 {
		return ""
	}
	sorted := slices.Sorted(slices.Values(names))
	hint := "there are " + quoted(sorted[:min(maxNames, len(sorted))], ", ")
	if more := len(sorted) - maxNames; more > 0 {
		hint += fmt.Sprintf(" and %d more", more)
	}
	return hint
}

// Above looks for what a path was probably meant to be: from its end on for the first folder
// that has children, and there for what is near to the part of the path that should be in it.
// hint is "" where there is no such folder.
func Above(name string, children func(dir string) []string) (dir, hint string) {
	for dir = name; dir != "" && hint == ""; {
		word := path.Base(dir)
		if dir = path.Dir(dir); dir == "." {
			dir = ""
		}
		hint = Hint(word, children(dir))
	}
	return dir, hint
}

func quoted(names []string, sep string) string {
	q := make([]string, len(names))
	for i, n := range names {
		q[i] = fmt.Sprintf("%q", n)
	}
	return strings.Join(q, sep)
}

func farness(a, b string) int {
	if len(b) > maxCompare {
		return maxCompare
	}
	far := distance(a, b)
	if len(a) >= 3 && len(b) >= 3 && (strings.HasPrefix(b, a) || strings.HasPrefix(a, b)) {
		far = min(far, 1)
	}
	return far
}

// distance counts the bytes to insert, remove, replace or swap with the next one.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			d := min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, rows[i-2][j-2]+1)
			}
			rows[i][j] = d
		}
	}
	return rows[len(a)][len(b)]
}
