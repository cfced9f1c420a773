package spinup

import (
	"slices"
	"sync"
	"time"

	"github.com/spinup-llm/spinup/lifecycle"
)

// progress follows the stages that are open, so that Status can tell how far they are. The
// zero value is ready to use.
type progress struct {
	mu       sync.Mutex
	replicas map[string][]*openStage // in order of their begin
}

// openStage is a stage under way. Its rate is that of the last seconds.
type openStage struct {
	StageStatus
	span         string
	mark, before mark
}

type mark struct {
	at   time.Time
	done int64
}

// rateOver is at least how much time a rate is taken over, at most twice as much.
const rateOver = 5 * time.Second

func (p *progress) record(e lifecycle.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	open := p.replicas[e.Replica]
	i := slices.IndexFunc(open, func(s *openStage) bool { return s.span == e.ID })
	switch e.Phase {
	case lifecycle.Begin:
		if p.replicas == nil {
			p.replicas = map[string][]*openStage{}
		}
		p.replicas[e.Replica] = append(open, &openStage{
			span: e.ID, StageStatus: StageStatus{Stage: e.Stage, Since: e.Time, Message: e.Message},
		})
	case lifecycle.Progress:
		if i >= 0 {
			open[i].move(e)
		}
	case lifecycle.End, lifecycle.Fail:
		if i < 0 {
			return
		}
		if p.replicas[e.Replica] = slices.Delete(open, i, i+1); len(open) == 1 {
			delete(p.replicas, e.Replica)
		}
	default: // skipped stages are never open
	}
}

// move takes in how far the stage is. What was there at the first word is no speed.
func (s *openStage) move(e lifecycle.Event) {
	s.Done, s.Total = e.Done, e.Total
	if e.Message != "" {
		s.Message = e.Message
	}
	switch {
	case s.mark.at.IsZero():
		s.mark = mark{e.Time, e.Done}
		s.before = s.mark
	case e.Time.Sub(s.mark.at) >= rateOver:
		s.before, s.mark = s.mark, mark{e.Time, e.Done}
	}
	if d := e.Time.Sub(s.before.at).Seconds(); d > 0 {
		s.Rate = float64(e.Done-s.before.done) / d
	}
}

// of returns the open stages of a replica, the one that began last at the end.
func (p *progress) of(replica string) []StageStatus {
	p.mu.Lock()
	defer p.mu.Unlock()
	var stages []StageStatus
	for _, s := range p.replicas[replica] {
		st := s.StageStatus
		if st.Rate > 0 && st.Total > st.Done {
			st.Left = Seconds(float64(st.Total-st.Done) / st.Rate)
		}
		stages = append(stages, st)
	}
	return stages
}
