// Package engine runs inference engines. An Engine is what to run: a command from a
// Spec, a parser from its output to stages. A Launcher is how to run it: a subprocess,
// a pod, a Ray actor. Start joins the two and supervises.
package engine

import (
	"context"
	"io"
	"iter"
	"log/slog"
	"net/url"
	"os"
	"time"

	"github.com/spinup-llm/spinup/lifecycle"
)

// Engine is implemented by drivers. Its methods are pure, so golden argv and recorded
// output test a driver without the engine installed.
type Engine interface {
	Name() string
	// Check refuses what the engine cannot serve, before anything is started.
	Check(spec Spec) error
	// Command returns argv, environment and probes for spec.
	Command(spec Spec) (Command, error)
	// NewParser returns the parser of one process's output.
	NewParser(spec Spec) Parser
}

// A Parser turns output into events. One line may end a stage and begin the next; ranks
// interleave; progress bars end in carriage returns, which count as line ends.
type Parser interface {
	Parse(line []byte) []lifecycle.Event
	// Explain tells why the process ended: the first cause seen, not the last line.
	Explain(exit int) *lifecycle.Error
}

// A Tracer is an Engine that exports spans of its start over OTLP. Optional.
type Tracer interface {
	Engine
	// MapSpan names the stage of a span of the engine's, or reports false.
	MapSpan(name string) (lifecycle.Stage, bool)
}

// Spec is what an engine needs to know.
type Spec struct {
	ModelID string
	Dir     string   // files of the model: all, or all but the weights
	Weights *url.URL // where a streaming engine reads weights; nil means Dir
	Kwargs  map[string]any
	Env     lifecycle.EnvVars
	Devices []string
	Addr    string // host:port to listen on; "" lets the Launcher choose
	Trace   Trace
}

// Trace asks an engine to export the spans of its start.
type Trace struct {
	Traceparent string // W3C; "" means none
	Endpoint    *url.URL
}

// Command is a process to be.
type Command struct {
	Path       string
	Args       []string
	Env        lifecycle.EnvVars // complete: nothing is inherited but what the driver names
	Dir        string
	AlivePath  string    // answers while the process lives
	ReadyPath  string    // answers 200 when the model serves
	Warmup     *Warmup   // a first request, sent by Start once ReadyPath answers 200; nil means none
	StopSignal os.Signal // nil means SIGTERM
}

// A Warmup is a real request that makes the engine do once what the first user would wait for.
type Warmup struct {
	Path string // such as /v1/completions; a POST
	Body []byte // JSON
}

// A Launcher starts commands. Exec is the one for this machine.
type Launcher interface {
	Launch(ctx context.Context, cmd Command) (Handle, error)
}

// A Handle is a launched command. Output ends before Wait returns.
type Handle interface {
	ID() string
	Addr() string          // host:port at which the host reaches it
	Input() io.WriteCloser // nil where there is none
	Output() io.Reader
	Signal(os.Signal) error
	Kill() error // everything that descends from it
	Wait() (exit int, err error)
}

// Exec launches subprocesses. All that descends from one dies with the host, even when
// that is killed: a parent-death signal reaches only the direct child, so a guardian in
// the process's group holds a pipe of the host and kills the group at its end.
type Exec struct{}

// Launch implements Launcher.
func (Exec) Launch(ctx context.Context, cmd Command) (Handle, error) { return nil, nil }

// Options tune supervision; nil means the defaults.
type Options struct {
	Launcher    Launcher      // nil means Exec{}
	ReadyWithin time.Duration // limit without any progress event; 0 means 10m
	StopWithin  time.Duration // between the stop signal and the kill; 0 means 30s
	Logger      *slog.Logger
}

// Start launches the engine. The process lives until ctx ends or Stop is called,
// whichever is first; context.Cause(ctx) appears in Err.
func Start(ctx context.Context, e Engine, spec Spec, opts *Options) (*Process, error) {
	return nil, nil
}

// Process is a supervised engine. Its state only moves forward; stopped and failed are final.
type Process struct{ _ noCopy }

// Ready waits until the engine serves, fails, or ctx ends.
func (p *Process) Ready(ctx context.Context) error { return nil }

// Endpoint is the base URL; it is valid once Ready returned nil.
func (p *Process) Endpoint() *url.URL { return nil }

// Events replays all events from the start and then follows until the process
// is final or ctx ends. Any number of consumers may range at once.
func (p *Process) Events(ctx context.Context) iter.Seq[lifecycle.Event] {
	return func(func(lifecycle.Event) bool) {}
}

// Stop asks, waits until ctx ends or StopWithin has passed, then kills. It
// returns nil when nothing is left running. Calling it again is harmless.
func (p *Process) Stop(ctx context.Context) error { return nil }

// Done is closed when the process is final; Err is its error from then on.
func (p *Process) Done() <-chan struct{} { return nil }

// Err returns nil while running and after a requested stop. An exit that nobody asked
// for is an error whatever its code.
func (p *Process) Err() error { return nil }

type noCopy struct{}

func (*noCopy) Lock()   {}
func (*noCopy) Unlock() {}
