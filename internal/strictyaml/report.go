package strictyaml

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spinup-llm/spinup/lifecycle"
)

// maxProblems bounds what a report holds of each sort: a file that is something else altogether
// would be wrong in each line.
const maxProblems = 200

// A Report collects problems and warnings. Its zero value is ready to use.
type Report struct {
	Wanted string // hint for a file that is empty or no YAML, where nothing better is known

	problems []note
	warnings []note
	root     *Place
	told     map[string]bool // paths about which something was said
	files    []string        // in the order they were read
}

type note struct {
	place   *Place
	message string
	hint    string
}

// Again returns an empty report that knows the places of r: for checking once more what
// was decoded before.
func (r *Report) Again() *Report { return &Report{Wanted: r.Wanted, root: r.root, files: r.files} }

// Fail reports what is wrong with the value at path. Where the value does not exist, the
// problem is placed at the nearest one above it. Where something was said already about the
// path, or about what contains it, nothing is added: one mistake makes one error.
func (r *Report) Fail(path, hint, format string, args ...any) {
	for p := path; ; p = p[:max(0, strings.LastIndexAny(p, ".["))] {
		if r.told[p] {
			return
		}
		if p == "" {
			break
		}
	}
	r.fail(r.place(path), hint, format, args...)
}

// Has reports whether the file has something at path other than null.
func (r *Report) Has(path string) bool {
	at, exact := r.root.At(path)
	return exact && !at.null
}

// HasNull reports whether the file has a null at path.
func (r *Report) HasNull(path string) bool {
	at, exact := r.root.At(path)
	return exact && at.null
}

// Warn adds a warning about the value at path.
func (r *Report) Warn(path, format string, args ...any) { r.warn(r.place(path), format, args...) }

// Warnings returns a line for each warning whose path matches, in the order of the files;
// a nil match takes all.
func (r *Report) Warnings(match func(path string) bool) []string {
	var lines []string
	for _, n := range r.sorted(r.warnings) {
		if match == nil || match(n.place.Path()) {
			lines = append(lines, n.place.Target()+": "+n.message)
		}
	}
	return lines
}

// Empty reports whether there is no problem.
func (r *Report) Empty() bool { return len(r.problems) == 0 }

// Err joins one [*lifecycle.Error] per problem, in the order of the files. It returns nil
// when there is none.
func (r *Report) Err(op string) error {
	var errs []error
	for _, n := range r.sorted(r.problems) {
		errs = append(errs, &lifecycle.Error{
			Op: op, Kind: lifecycle.Invalid, Target: n.place.Target(), Err: errors.New(n.message), Hint: n.hint,
		})
	}
	return errors.Join(errs...)
}

// Drop removes the problems for which match is true of the path.
func (r *Report) Drop(match func(path string) bool) {
	r.problems = slices.DeleteFunc(r.problems, func(n note) bool { return match(n.place.Path()) })
}

// place returns the place at path, or a place of that path with the position of what is
// nearest above it.
func (r *Report) place(path string) *Place {
	at, exact := r.root.At(path)
	if exact {
		return at
	}
	c := &Place{segment: path}
	if at != nil {
		c.Pos = at.Pos
	}
	return c
}

// fail reports a problem of the value at a place, or where the place has no name, of
// something beside the values, such as a key.
func (r *Report) fail(at *Place, hint, format string, args ...any) {
	if at == r.root || at.segment != "" {
		r.tell(at.Path())
	}
	if r.full() {
		return
	}
	n := note{r.positioned(at), fmt.Sprintf(format, args...), hint}
	if len(r.problems) == maxProblems {
		n.message, n.hint = fmt.Sprintf("there are more problems than the first %d", maxProblems), "mend those first"
	}
	r.problems = append(r.problems, n)
}

// full reports whether further problems would not be kept.
func (r *Report) full() bool { return len(r.problems) > maxProblems }

func (r *Report) warn(at *Place, format string, args ...any) {
	if len(r.warnings) < maxProblems {
		r.warnings = append(r.warnings, note{place: r.positioned(at), message: fmt.Sprintf(format, args...)})
	}
}

func (r *Report) tell(path string) {
	if r.told == nil {
		r.told = map[string]bool{}
	}
	r.told[path] = true
}

// positioned finds the position of a value that came from a file by way of Go.
func (r *Report) positioned(at *Place) *Place {
	if at.Pos == (Pos{}) {
		return r.place(at.Path())
	}
	return at
}

func (r *Report) sorted(notes []note) []note {
	return slices.SortedStableFunc(slices.Values(notes), func(a, b note) int {
		p, q := a.place.Pos, b.place.Pos
		return cmp.Or(
			cmp.Compare(slices.Index(r.files, p.File), slices.Index(r.files, q.File)),
			cmp.Compare(p.Line, q.Line), cmp.Compare(p.Column, q.Column),
		)
	})
}
