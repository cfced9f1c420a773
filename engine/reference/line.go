package reference

import (
	"encoding/json"
	"errors"
	"io"
	"sync"

	"github.com/spinup-llm/spinup/lifecycle"
)

// line is what the engine process says of its start, as JSON on its standard output.
type line struct {
	Stage   lifecycle.Stage `json:"stage"`
	Phase   string          `json:"phase"` // as lifecycle.Phase writes it
	Done    int64           `json:"done,omitempty"`
	Total   int64           `json:"total,omitempty"`
	Message string          `json:"message,omitempty"`
	Error   *failure        `json:"error,omitempty"` // with the phase fail
}

// failure is a lifecycle.Error on its way between processes.
type failure struct {
	Op     string `json:"op"`
	Kind   string `json:"kind"`
	Target string `json:"target,omitempty"`
	Hint   string `json:"hint,omitempty"`
	Cause  string `json:"cause"`
}

// failed is the line that tells of err.
func failed(err error) line {
	e, ok := errors.AsType[*lifecycle.Error](err)
	if !ok {
		e = &lifecycle.Error{Op: "reference.Main", Kind: lifecycle.EngineFailed, Err: err}
	}
	f := &failure{Op: e.Op, Kind: e.Kind.String(), Target: e.Target, Hint: e.Hint, Cause: "no cause is known"}
	if e.Err != nil {
		f.Cause = e.Err.Error()
	}
	stage := e.Stage
	if stage == "" {
		stage = lifecycle.StageEngineConfig
	}
	return line{Stage: stage, Phase: lifecycle.Fail.String(), Error: f}
}

// error is the other way round.
func (f *failure) error(stage lifecycle.Stage) *lifecycle.Error {
	e := &lifecycle.Error{Op: f.Op, Kind: lifecycle.EngineFailed, Target: f.Target, Stage: stage, Hint: f.Hint, Err: errors.New(f.Cause)}
	for k := lifecycle.Unknown; k <= lifecycle.Canceled; k++ {
		if k.String() == f.Kind && k != lifecycle.Unknown {
			e.Kind = k
		}
	}
	if e.Hint == "" {
		e.Hint = "read the engine's output; a Logger at debug level gets all of it"
	}
	return e
}

// reporter writes lines, each in one piece. It is safe for concurrent use.
func reporter(w io.Writer) func(line) {
	var mu sync.Mutex
	return func(l line) {
		text, err := json.Marshal(l)
		if err != nil {
			return // strings and numbers always marshal
		}
		mu.Lock()
		defer mu.Unlock()
		_, _ = w.Write(append(text, '\n')) // nobody may be reading
	}
}
