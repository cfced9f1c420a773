package lifecycle

import (
	"context"
	"errors"
	"iter"
	"strings"
)

// Error is the one structured error type of this module.
type Error struct {
	Op     string // "source.Resolve", "engine.Start"
	Kind   Kind
	Target string // redacted URI, path, or configuration path
	Stage  Stage  // "" when it happened outside of a stage
	Hint   string // what to do about it: one imperative sentence
	Err    error  // the cause; may be nil
}

// Error formats as "op target: kind: cause (hint)", leaving out what is empty.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.Target != "" {
		b.WriteString(" " + e.Target)
	}
	if b.Len() > 0 {
		b.WriteString(": ")
	}
	b.WriteString(e.Kind.String())
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	if e.Hint != "" {
		b.WriteString(" (" + e.Hint + ")")
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is lets a Kind be the target of errors.Is.
func (e *Error) Is(target error) bool {
	k, ok := target.(Kind)
	return ok && k == e.Kind
}

// InStage returns err with the stage filled in where its first Error names none.
func InStage(err error, stage Stage) error {
	if err == nil {
		return nil
	}
	if e, ok := err.(*Error); ok && e.Stage == "" { //nolint:errorlint // only the outermost is ours to complete
		c := *e
		c.Stage = stage
		return &c
	}
	return err
}

// FromContext turns the end of ctx into an Error of kind Timeout or Canceled whose cause
// is context.Cause(ctx). It returns nil while ctx lives.
func FromContext(ctx context.Context, op, target string) error {
	if ctx.Err() == nil {
		return nil
	}
	cause := context.Cause(ctx)
	if e, ok := errors.AsType[*Error](cause); ok {
		return e
	}
	kind := Canceled
	if errors.Is(cause, context.DeadlineExceeded) {
		kind = Timeout
	}
	return &Error{Op: op, Target: target, Kind: kind, Err: cause}
}

// Hints yields the remedies of all errors joined in err, outermost first, each once.
func Hints(err error) iter.Seq[string] {
	return func(yield func(string) bool) {
		seen := map[string]bool{}
		walk(err, func(e *Error) bool {
			if e.Hint == "" || seen[e.Hint] {
				return true
			}
			seen[e.Hint] = true
			return yield(e.Hint)
		})
	}
}

// Errors yields every [*Error] of err's tree, outermost first.
func Errors(err error) iter.Seq[*Error] {
	return func(yield func(*Error) bool) { walk(err, yield) }
}

func walk(err error, visit func(*Error) bool) bool {
	if e, ok := err.(*Error); ok && !visit(e) { //nolint:errorlint // the tree is walked by hand
		return false
	}
	switch u := err.(type) { //nolint:errorlint // the tree is walked by hand
	case interface{ Unwrap() error }:
		return u.Unwrap() == nil || walk(u.Unwrap(), visit)
	case interface{ Unwrap() []error }:
		for _, e := range u.Unwrap() {
			if !walk(e, visit) {
				return false
			}
		}
	}
	return true
}
