package engine_test

import (
	"context"
	"io"
	"os"
	"sync"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/internal/fakeengine"
	"github.com/spinup-llm/spinup/lifecycle"
)

// stage is a launcher whose one process is played by a test.
type stage struct {
	engine.Handle
	output  *io.PipeWriter
	read    *io.PipeReader
	signals chan os.Signal
	kills   chan struct{}
	once    sync.Once
	ended   chan int
	err     error
}

func newStage() *stage {
	s := &stage{signals: make(chan os.Signal, 10), kills: make(chan struct{}, 10), ended: make(chan int, 1)}
	s.read, s.output = io.Pipe()
	return s
}

func (s *stage) Launch(context.Context, engine.Command) (engine.Handle, error) { return s, nil }

// say writes output and returns once it is read.
func (s *stage) say(lines string) { _, _ = io.WriteString(s.output, lines) }

// end is the end of the process. The first code counts.
func (s *stage) end(code int) {
	s.once.Do(func() {
		_ = s.output.Close()
		s.ended <- code
	})
}

func (s *stage) ID() string            { return "played" }
func (s *stage) Addr() string          { return "" }
func (s *stage) Input() io.WriteCloser { return nil }
func (s *stage) Output() io.ReadCloser { return s.read }
func (s *stage) Wait() (int, error)    { return <-s.ended, s.err }

func (s *stage) Signal(sig os.Signal) error {
	s.signals <- sig
	return nil
}

func (s *stage) Kill() error {
	s.kills <- struct{}{}
	return nil
}

// watched is a stage that tells of deaths.
type watched struct {
	*stage
	lost chan engine.Death
}

func (w watched) Launch(context.Context, engine.Command) (engine.Handle, error) { return w, nil }
func (w watched) Lost() <-chan engine.Death                                     { return w.lost }

// served is a stage behind which something answers at addr.
type served struct {
	*stage
	addr string
}

func (s served) Launch(context.Context, engine.Command) (engine.Handle, error) { return s, nil }
func (s served) Addr() string                                                  { return s.addr }

// numbered is an engine whose output lines are indexes of events.
type numbered struct {
	fakeengine.Engine
	events []lifecycle.Event
}

func (n numbered) NewParser(engine.Spec) engine.Parser { return &numberedParser{events: n.events} }

type numberedParser struct{ events []lifecycle.Event }

func (n *numberedParser) Parse([]byte) []lifecycle.Event {
	e := n.events[0]
	n.events = n.events[1:]
	return []lifecycle.Event{e}
}

func (n *numberedParser) Explain(int) *lifecycle.Error { return nil }
