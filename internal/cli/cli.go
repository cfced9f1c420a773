// Package cli holds what the example programs share: flags before or after the arguments,
// and the exit codes 0 done, 1 failed, 2 wrong usage, 130 interrupted.
package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spinup-llm/spinup/lifecycle"
)

// Exit codes of the example programs.
const (
	Done        = 0
	Failed      = 1
	WrongUsage  = 2
	Interrupted = 130
)

// errUsage marks an error that is the user's way of calling.
var errUsage = errors.New("wrong usage")

// usageError is a wrong flag, which the user has been told of.
type usageError struct{ error }

func (e *usageError) Unwrap() []error { return []error{errUsage, e.error} }

// Flags returns the flags of a program that is used as usage says, which begins with its name.
func Flags(usage string) *flag.FlagSet {
	name, _, _ := strings.Cut(usage, " ")
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "usage:", usage)
		flags.PrintDefaults()
	}
	return flags
}

// Open opens a file that an argument names.
func Open(name string) (*os.File, error) {
	f, err := os.Open(name) //nolint:gosec // the user's own choice
	if err != nil {
		return nil, &lifecycle.Error{
			Op: "open", Kind: lifecycle.Invalid, Target: name, Err: errors.Unwrap(err),
			Hint: "the argument is the path of a configuration, such as examples/testdata/tiny.yaml",
		}
	}
	return f, nil
}

// Parse parses args into flags, which may stand before or after the arguments, and returns
// the arguments; "--" ends the flags. want is their number.
func Parse(flags *flag.FlagSet, args []string, want int) ([]string, error) {
	var literal []string
	if i := slices.Index(args, "--"); i >= 0 {
		args, literal = args[:i], args[i+1:]
	}
	var rest []string
	for {
		if err := flags.Parse(args); err != nil {
			return nil, &usageError{err} // package flag has told it, with the usage
		}
		if args = flags.Args(); len(args) == 0 {
			break
		}
		rest, args = append(rest, args[0]), args[1:]
	}
	rest = append(rest, literal...)
	if len(rest) != want {
		return nil, Usage(flags, fmt.Sprintf("%d arguments, want %d", len(rest), want))
	}
	return rest, nil
}

// Usage shows the usage and returns an error that ends the program with WrongUsage.
func Usage(flags *flag.FlagSet, why string) error {
	flags.Usage()
	return fmt.Errorf("%w: %s", errUsage, why)
}

// Main runs a program until it ends or a signal comes, and returns its exit code. Errors
// go to stderr, each with its hint. With graceful, a signal is the normal end.
func Main(graceful bool, run func(ctx context.Context, args []string) error) int {
	root := context.Background() //nolint:forbidigo // a program begins here
	ctx, stop := signal.NotifyContext(root, os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	return report(ctx, os.Stderr, graceful, run(ctx, os.Args[1:]))
}

func report(ctx context.Context, w io.Writer, graceful bool, err error) int {
	switch {
	case err == nil && (graceful || ctx.Err() == nil), errors.Is(err, flag.ErrHelp):
		return Done
	case ctx.Err() != nil && (err == nil || lifecycle.KindOf(err) == lifecycle.Canceled || errors.Is(err, context.Canceled)):
		fmt.Fprintln(w, "interrupted")
		return Interrupted
	case errors.Is(err, errUsage):
		if _, told := errors.AsType[*usageError](err); !told {
			fmt.Fprintln(w, err)
		}
		return WrongUsage
	default:
		fmt.Fprintln(w, "error:", err)
		return Failed
	}
}
