package engine

import (
	"context"
	"fmt"
	"io"
	"os"
	"syscall"
)

// A Launcher starts commands. [Exec] is the one for this machine.
type Launcher interface {
	// Launch starts cmd. ctx limits the launch, not the life of the command.
	Launch(ctx context.Context, cmd Command) (Handle, error)
}

// A Handle is a launched command. Its methods may be called concurrently.
type Handle interface {
	ID() string
	// Addr is the host:port at which the host reaches it; "" means that of the Spec.
	Addr() string
	// Input is nil where there is none. It stays open while the command may live, whose
	// end of input means that the host is gone. Closed by Start at the end.
	Input() io.WriteCloser
	// Output is read to its end, which comes before Wait returns, and closed by Start.
	Output() io.ReadCloser
	// Signal reaches the command alone.
	Signal(sig os.Signal) error
	// Kill ends everything that descends from the command. It does not wait and may be
	// called again.
	Kill() error
	// Wait returns when nothing is left. For exit see Parser.Explain. An error says that
	// the handle has lost sight of the command.
	Wait() (exit int, err error)
}

// A Watcher is a Handle that sees the processes of its command. Optional.
type Watcher interface {
	Handle
	// Lost yields the first end of the command or of a vital process below it, at once,
	// while Wait may still wait for the rest.
	Lost() <-chan Death
}

// A Yielder is a Handle whose command can be put behind others. Optional.
type Yielder interface {
	Handle
	// Yield puts the command, and all that descends from it, behind others that want the
	// processor, or gives them a share like that of others again. Where the system cannot, it
	// changes nothing.
	Yield(yield bool) error
}

// A Death is the end of a process.
type Death struct {
	PID  int
	Name string // its command line; "" for the command itself
	Exit int    // see Parser.Explain
}

// String says what ended and how.
func (d Death) String() string {
	if d.Name == "" {
		return "the engine " + exitText(d.Exit)
	}
	return fmt.Sprintf("process %s (pid %d) %s", d.Name, d.PID, exitText(d.Exit))
}

func exitText(exit int) string {
	switch {
	case exit < 0:
		return "is gone"
	case exit > 128:
		return fmt.Sprintf("was ended by signal %d (%s)", exit-128, syscall.Signal(exit-128))
	default:
		return fmt.Sprintf("exited with code %d", exit)
	}
}
