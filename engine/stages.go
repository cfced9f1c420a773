package engine

import (
	"errors"
	"sync"
	"time"

	"github.com/spinup-llm/spinup/lifecycle"
)

// stages keeps exactly one stage open from begin to close, and knows when it last moved. A
// process that has nothing to do before it is told its model has none open meanwhile.
type stages struct {
	redact func(string) string
	woken  chan struct{} // has an element after progress

	mu     sync.Mutex
	root   lifecycle.Scope
	open   lifecycle.Scope
	stage  lifecycle.Stage // of open; "" when none is
	sealed bool            // the parser cannot open stages any more
	ahead  bool            // preload is on before the model is told
	idle   *signal         // it is over
	told   bool            // and now it is
	moved  time.Time
}

func newStages(root lifecycle.Scope, redact func(string) string) *stages {
	return &stages{root: root, redact: redact, woken: make(chan struct{}, 1), moved: time.Now(), idle: newSignal()}
}

// at is s with events of the moment t: what ends and what begins with it leave nothing between them.
func at(s lifecycle.Scope, t time.Time) lifecycle.Scope {
	emit := s.Emit
	s.Emit = func(e lifecycle.Event) {
		e.Time = t
		emit(e)
	}
	return s
}

// begin ends the open stage and opens another.
func (s *stages) begin(stage lifecycle.Stage, message string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.beginLocked(stage, message)
}

func (s *stages) beginLocked(stage lifecycle.Stage, message string) {
	now := time.Now()
	s.closeLocked(now, nil)
	s.openLocked(now, stage, message)
	s.progressed()
}

func (s *stages) openLocked(now time.Time, stage lifecycle.Stage, message string) {
	s.open, s.stage = at(s.root, now).Begin(stage, message), stage
	s.open.Emit = s.root.Emit
}

// preload opens the stage of a process that is told its model later.
func (s *stages) preload(message string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.beginLocked(lifecycle.StagePreload, message)
	s.ahead = true
}

// tell says that the process has been told its model. What follows begins when preload is
// over, too.
func (s *stages) tell() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told = true
	if s.stage == "" && !s.sealed {
		s.beginLocked(lifecycle.StageEngineConfig, "")
	}
}

// adopt makes root the scope of what follows. A preload that is still on goes on there.
func (s *stages) adopt(root lifecycle.Scope, from string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.root = root
	switch {
	case s.sealed: // it has ended, which Start will tell
	case s.ahead:
		now := time.Now()
		s.closeLocked(now, nil)
		s.openLocked(now, lifecycle.StagePreload, "begun by "+from)
	default:
		root.Skip(lifecycle.StagePreload, "done by "+from)
	}
}

func (s *stages) preloadedLocked() {
	s.ahead = false
	s.idle.send()
	if s.told {
		s.beginLocked(lifecycle.StageEngineConfig, "")
		return
	}
	s.closeLocked(time.Now(), nil)
}

// skip says why there is no preload, or none any more.
func (s *stages) skip(why error) { s.root.Skip(lifecycle.StagePreload, s.redact(why.Error())) }

// close ends the open stage, if there is one, and says when.
func (s *stages) close(err error) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.closeLocked(now, err)
	s.sealed = true
	return now
}

func (s *stages) closeLocked(now time.Time, err error) {
	if s.stage != "" {
		at(s.open, now).Close(err)
		s.stage = ""
	}
}

// seal leaves the stages to us.
func (s *stages) seal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sealed = true
}

// apply takes in what the parser made of one line. It returns the first failure among it.
func (s *stages) apply(events []lifecycle.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range events {
		e.Message = s.redact(e.Message)
		if e.Phase == lifecycle.Fail {
			return failureOf(e)
		}
		if !s.sealed {
			s.applyLocked(e)
		}
	}
	return nil
}

func (s *stages) applyLocked(e lifecycle.Event) {
	switch {
	case e.Stage == lifecycle.StageReady || e.Stage == lifecycle.StageStopped:
		// Those moments are not the parser's to tell.
	case s.ahead && e.Stage == lifecycle.StagePreload && e.Phase == lifecycle.End:
		s.preloadedLocked()
	case e.Phase == lifecycle.Skip:
		s.root.Skip(e.Stage, e.Message)
	case e.Phase == lifecycle.Begin && e.Stage != s.stage:
		s.beginLocked(e.Stage, e.Message)
	case e.Stage == s.stage:
		s.open.Progress(e.Done, e.Total, e.Message)
	}
	s.progressed()
}

func failureOf(e lifecycle.Event) error {
	if e.Err != nil {
		return e.Err
	}
	return errors.New(e.Message)
}

func (s *stages) progressed() {
	s.moved = time.Now()
	select {
	case s.woken <- struct{}{}:
	default:
	}
}

// quiet tells the open stage and for how long nothing has moved. Without one, nothing has to.
func (s *stages) quiet() (lifecycle.Stage, time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stage == "" {
		return "", 0
	}
	return s.stage, time.Since(s.moved)
}
