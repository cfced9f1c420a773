package engine

import (
	"os"
	"syscall"

	"github.com/spinup-llm/spinup/lifecycle"
)

// Command is a process to be. Secrets belong into Env, which is redacted everywhere;
// every user of the machine can read Args.
type Command struct {
	Path       string            // of the program; a bare name is looked up in the host's PATH
	Args       []string          // without the program's name
	Env        lifecycle.EnvVars // complete: nothing is inherited but what the driver names
	Dir        string            // "" means the host's
	AlivePath  string            // answers 200 while the engine can serve; for health checks
	ReadyPath  string            // answers 200 when the model serves; required
	Warmup     *Warmup           // a first request, sent by Start once ReadyPath answers 200; nil means none
	StopSignal os.Signal         // nil means SIGTERM
	// Vital names processes below the command without which it cannot serve: those whose
	// command line, as ps shows it, contains one of these. Their end is a failure at
	// once, whatever the command itself makes of it. Where the launcher cannot see them,
	// only the command's own end counts.
	Vital []string
	// Scratch is a variable that names a folder for what is of no use after the command, such as
	// sockets: the launcher makes one and removes it when nothing of the command is left. It is
	// left alone where Env has it; "" means that the command needs none.
	Scratch string
}

// A Warmup is a real request that makes the engine do once what the first user would wait for.
type Warmup struct {
	Path string // such as /v1/completions; a POST
	Body []byte // JSON
}

func (c *Command) stopSignal() os.Signal {
	if c.StopSignal != nil {
		return c.StopSignal
	}
	return syscall.SIGTERM
}
