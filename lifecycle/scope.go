package lifecycle

import (
	"context"
	"strconv"
	"sync/atomic"
)

// A Scope emits events that carry the same model, replica, node and span. It is a value:
// derive from it, do not share one that you change. Emit must be safe for concurrent use.
type Scope struct {
	Emit    func(Event) // nil drops the events
	Model   string
	Replica string
	Node    string
	ID      string // of the enclosing span; "" at the root
	parent  string
	stage   Stage
}

var lastSpan atomic.Uint64

// newSpanID returns an identifier that is unique in this process.
func newSpanID() string { return strconv.FormatUint(lastSpan.Add(1), 36) }

// Begin opens a span of stage below s and returns its scope. End it once, with Close.
func (s Scope) Begin(stage Stage, message string) Scope {
	c := s
	c.parent, c.ID, c.stage = s.ID, newSpanID(), stage
	c.send(Event{Phase: Begin, Message: message})
	return c
}

// Close ends the span: Fail with err, or End when err is nil.
func (s Scope) Close(err error) {
	if err != nil {
		s.send(Event{Phase: Fail, Err: err, Message: err.Error()})
		return
	}
	s.send(Event{Phase: End})
}

// Progress reports done of total units (bytes for downloads); total 0 means unknown.
func (s Scope) Progress(done, total int64, message string) {
	s.send(Event{Phase: Progress, Done: done, Total: total, Message: message})
}

// Skip reports that stage was not needed, and why.
func (s Scope) Skip(stage Stage, why string) {
	c := s
	c.parent, c.ID, c.stage = s.ID, newSpanID(), stage
	c.send(Event{Phase: Skip, Message: why})
}

// Mark reports a moment rather than a span: ready, stopped.
func (s Scope) Mark(stage Stage, message string) {
	s.Begin(stage, message).Close(nil)
}

// Run runs f as a span of stage. An error of f fails the span and gets the stage where it
// is an [*Error] that names none.
func (s Scope) Run(ctx context.Context, stage Stage, f func(context.Context, Scope) error) error {
	c := s.Begin(stage, "")
	err := InStage(f(ctx, c), stage)
	c.Close(err)
	return err
}

func (s Scope) send(e Event) {
	if s.Emit == nil {
		return
	}
	e.Model, e.Replica, e.Node = s.Model, s.Replica, s.Node
	e.ID, e.Parent, e.Stage = s.ID, s.parent, s.stage
	s.Emit(e)
}
