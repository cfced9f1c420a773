package engine

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/spinup-llm/spinup/internal/guardian"
	"github.com/spinup-llm/spinup/lifecycle"
)

// Exec launches subprocesses. All that descends from one ends with the host, even when
// that is killed: each runs below a guardian, which is the host's program started once
// more and takes over before its main. It costs some milliseconds per launch and one idle
// process per engine. Linux; other Unixes reach only the process group of the command.
type Exec struct{}

// here tells Exec, and what embeds it, from launchers of other nodes.
func (Exec) here() {}

// Launch implements Launcher. Errors: NotFound and AccessDenied for the program,
// EngineFailed where the system refuses to run it.
func (Exec) Launch(ctx context.Context, cmd Command) (Handle, error) {
	path, err := exec.LookPath(cmd.Path)
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return nil, launchError(cmd.Path, err)
	}
	h := &execHandle{lost: make(chan Death, 1)}
	env, scratch := withScratch(cmd)
	h.guard, err = guardian.Start(ctx, guardian.Order{
		Path: path, Args: append([]string{cmd.Path}, cmd.Args...), Env: env.Environ(), Dir: cmd.Dir, Vital: cmd.Vital, Scratch: scratch,
	}, func(d guardian.Death) { h.lost <- Death(d) })
	if err != nil {
		_ = os.RemoveAll(scratch) // it is empty
		if ended := lifecycle.FromContext(ctx, "engine.Launch", cmd.Path); ended != nil {
			return nil, ended
		}
		return nil, launchError(cmd.Path, err)
	}
	return h, nil
}

// scratchLength is the longest name of a scratch folder in which sockets of names like a UUID fit:
// theirs have at most 107 bytes.
const scratchLength = 107 - len("/01234567-89ab-cdef-0123-456789abcdef")

// withScratch makes the folder that cmd wants. Without one, as where the system has no room for
// it, the variable is not set, and the command does as it would by itself.
func withScratch(cmd Command) (env lifecycle.EnvVars, dir string) {
	if cmd.Scratch == "" || cmd.Env[cmd.Scratch] != "" {
		return cmd.Env, ""
	}
	dir, err := os.MkdirTemp("", "spinup-")
	if err != nil {
		return cmd.Env, ""
	}
	if len(dir) > scratchLength {
		_ = os.Remove(dir) // it is empty
		return cmd.Env, ""
	}
	env = maps.Clone(cmd.Env)
	if env == nil {
		env = lifecycle.EnvVars{}
	}
	env[cmd.Scratch] = dir
	return env, dir
}

func launchError(path string, err error) error {
	e := &lifecycle.Error{
		Op: "engine.Launch", Kind: lifecycle.EngineFailed, Target: path, Err: err,
		Hint: "run the program by hand to see what it lacks",
	}
	switch {
	case errors.Is(err, io.EOF): // the guardian has said nothing
		e.Hint = "this program starts itself once more to guard the engine, which failed: see that it runs with only LD_LIBRARY_PATH in its environment"
	case errors.Is(err, context.DeadlineExceeded):
		e.Kind, e.Hint = lifecycle.Timeout, "give the machine more time; a Go library inside another program cannot guard engines"
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		e.Kind, e.Hint = lifecycle.NotFound, "install the engine, or give the path of its program"
	case errors.Is(err, fs.ErrPermission):
		e.Kind, e.Hint = lifecycle.AccessDenied, "make the program executable for this user"
	case errors.Is(err, errors.ErrUnsupported):
		e.Kind, e.Hint = lifecycle.Invalid, "engines run on Linux, or with less protection on other Unixes"
	}
	return e
}

// execHandle is a guard as a Watcher.
type execHandle struct {
	guard *guardian.Guard
	lost  chan Death
}

func (h *execHandle) ID() string            { return strconv.Itoa(h.guard.PID()) }
func (h *execHandle) Addr() string          { return "" }
func (h *execHandle) Input() io.WriteCloser { return h.guard.Stdin }
func (h *execHandle) Output() io.ReadCloser { return h.guard.Output }
func (h *execHandle) Lost() <-chan Death    { return h.lost }
func (h *execHandle) Kill() error           { return h.guard.Kill() }

// Yield works on Linux where the system shares processors between sessions (autogroup,
// sched(7)), which it does not within a container that has limits of its own.
func (h *execHandle) Yield(yield bool) error { return h.guard.Yield(yield) }

func (h *execHandle) Signal(sig os.Signal) error {
	s, ok := sig.(syscall.Signal)
	if !ok {
		return errors.ErrUnsupported
	}
	return h.guard.Signal(s)
}

func (h *execHandle) Wait() (exit int, err error) { return h.guard.Wait() }
