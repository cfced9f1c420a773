package spinup

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/replica"
)

// StageStandby is the stage of a process that waits to become a replica, from its launch to
// its end or to the replica that takes it.
const StageStandby lifecycle.Stage = "standby"

// A standby is one such process. It belongs to who claims it first.
type standby struct {
	id      string
	model   *model
	node    replica.Node
	command engine.Command // which tells whether it can become a replica of another configuration
	early   *engine.Preloaded
	since   time.Time
	scope   lifecycle.Scope
	ctx     context.Context //nolint:containedctx // its time in waiting
	cancel  context.CancelCauseFunc

	// These belong to the lock.
	span    lifecycle.Scope // zero until there is something to tell
	idle    bool            // it has done what needs no model
	claimed bool            // it waits no more, be it to end
}

// place finds where s may run, and what.
func (s *standby) place(ctx context.Context, share int) (spec engine.Spec, err error) {
	m := s.model
	driver, ok := m.engine.(engine.Preloader)
	if !ok {
		return spec, fmt.Errorf("%s has nothing to do ahead of the model", m.engine.Name())
	}
	provisioner, ok := m.opts.Provisioner.(replica.StandbyProvisioner)
	if !ok {
		return spec, errors.New("the provisioner has no place for standbys")
	}
	if s.node, err = provisioner.Standby(ctx, m.request(share)); err != nil {
		return spec, err
	}
	s.scope.Node = s.node.ID()
	spec = m.spec(s.node)
	s.command, err = driver.Preload(spec)
	return spec, err
}

// retire ends s where it cannot become a replica of m.
func (s *standby) retire(m *model) {
	if !s.fits(m, s.node) {
		s.cancel(errors.New("the configuration has changed"))
	}
}

// fits reports whether s can become a replica of m on n: it was launched as one of m's would be.
func (s *standby) fits(m *model, n replica.Node) bool {
	driver, ok := m.engine.(engine.Preloader)
	if !ok || n.ID() != s.node.ID() || len(n.Devices()) == 0 != (len(s.node.Devices()) == 0) {
		return false
	}
	cmd, err := driver.Preload(m.spec(s.node))
	return err == nil && reflect.DeepEqual(cmd, s.command)
}

// over closes what tells of s, which waits no more, for why or as it was cancelled.
func (s *standby) over(why error) {
	if cause := context.Cause(s.ctx); why == nil && cause != nil {
		s.span.Progress(0, 0, cause.Error())
	}
	s.span.Close(lifecycle.InStage(why, StageStandby))
	s.model.telemetry.Forget(s.id, time.Now(), why)
}
