package engine

import (
	"context"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
)

// Engine is implemented by drivers. Its methods are pure, so golden argv and recorded
// output test a driver without the engine installed. Package enginetest holds the suite
// that a driver has to pass.
type Engine interface {
	Name() string
	// Check refuses what the engine cannot serve, before anything is started. Spec.Addr
	// may be "".
	Check(spec Spec) error
	// Command returns argv, environment and probes for spec, whose Addr is set.
	Command(spec Spec) (Command, error)
	// NewParser returns the parser of one process's output.
	NewParser(spec Spec) Parser
}

// A Parser turns output into events. One line may end a stage and begin the next; ranks
// interleave; progress bars end in carriage returns, which count as line ends. Its methods
// are not called concurrently.
type Parser interface {
	// Parse reads one line, without its end, of at most 64 KiB; it must not keep it. Of the
	// events only Stage, Phase, Done, Total, Message and Err count:
	//
	// Begin opens a stage and ends the one before; for the open stage it is progress.
	// Progress belongs to the open stage; for another one it only shows that the engine
	// is alive. End leaves the stage open until the next begins, as the time between has
	// to belong to somebody. Skip reports a stage that was not needed. Fail says that the
	// engine will not serve any more: it is ended and explained, without waiting for the
	// exit. After ReadyPath has answered, only Fail counts, unless AlivePath says otherwise: what
	// an engine writes then may be the words of clients.
	Parse(line []byte) []lifecycle.Event
	// Explain tells why the process ended: the first cause seen, not the last line. exit
	// is the exit code, 128 and the signal when one ended it, or -1 when it is unknown.
	// An empty Op, Target or Stage is filled in.
	Explain(exit int) *lifecycle.Error
}

// A Forgetter is a Parser that takes back what it made of the last lines: they told of a failure, but the
// engine serves. Optional.
type Forgetter interface {
	Parser
	Forget()
}

// A KwargsChecker is an Engine that can refuse a Spec's Kwargs before there are files, so
// that nothing is fetched for a configuration that cannot work. Optional.
type KwargsChecker interface {
	Engine
	CheckKwargs(spec Spec) error
}

// A FileChooser is an Engine whose models do not lie in the Hugging Face layout, or of whose
// files not all are wanted. Optional.
type FileChooser interface {
	Engine
	// ChooseFiles returns those of m that make the model which spec, without Dir, asks for.
	// Only they are fetched. It is pure, and chosen once more changes nothing.
	ChooseFiles(spec Spec, m *source.Manifest) (*source.Manifest, error)
	// CheckFiles takes the place of source.CheckModel: it says of the chosen files, which it
	// reads through src as they may not be here yet, whether they can be loaded.
	CheckFiles(ctx context.Context, src source.Source, m *source.Manifest) error
}

// A Preloader is an Engine whose process can begin before its model is there. See [Preload].
// Optional; its methods are pure as well.
type Preloader interface {
	Engine
	// Preload returns the command of a process that does what needs no model, for a spec
	// whose Dir, Weights, Addr and Trace are to come; the probes and the warm-up are those
	// of the later Command. Its parser ends StagePreload when it has nothing more to do.
	// An error says why there can be no such process.
	Preload(spec Spec) (Command, error)
	// Become returns what the process of preloaded reads from its input to go on as cmd,
	// or an error that says what of cmd it cannot take on any more.
	Become(preloaded, cmd Command) (input []byte, err error)
}

// A Cacher is an Engine that keeps below Spec.CacheDir what spares its next start work, such as
// compiled code. Optional; its methods are pure as well.
type Cacher interface {
	Engine
	// CacheKey returns all that those files depend on beside the model's, by name: versions,
	// hardware, options. What one start made is given to another one with the same key, and
	// it may be code: what is in doubt belongs into the key, and no secret does. Dir, Weights,
	// Addr, Trace and CacheDir of spec do not count and may be missing. An error says why this
	// start has to do without.
	CacheKey(spec Spec) (map[string]string, error)
	// Cached reports whether the file at path, with slashes and below Spec.CacheDir, is one of
	// them and no lock, log or temporary file.
	Cached(path string) bool
}

// A StoreReader is an Engine that can stream weights from a [Store] of its host. Optional.
type StoreReader interface {
	Engine
	// ReadsStore says what stands in the way of it, for a spec that names neither Weights nor
	// Store yet; nil means nothing.
	ReadsStore(spec Spec) error
}

// A Tracer is an Engine that exports spans of its start over OTLP. Optional.
type Tracer interface {
	Engine
	// MapSpan names the stage of a span of the engine's, or reports false.
	MapSpan(name string) (lifecycle.Stage, bool)
}
