package lifecycle

import (
	"cmp"
	"iter"
	"slices"
	"time"
)

// A Span is one finished or running stage of one replica.
type Span struct {
	ID, Parent string
	Model      string
	Replica    string // "" for the deployment as a whole
	Node       string
	Stage      Stage
	Start, End time.Time // End is zero while the stage runs
	Skipped    bool
	Message    string // the last one reported
	Err        error
}

// Duration is End-Start; it is 0 while the stage runs.
func (s Span) Duration() time.Duration {
	if s.End.IsZero() {
		return 0
	}
	return s.End.Sub(s.Start)
}

// A Timeline is an immutable snapshot of the spans of a deployment.
type Timeline struct{ spans []Span }

// TimelineOf folds events into spans. It is pure: equal events, equal timeline.
func TimelineOf(events iter.Seq[Event]) Timeline {
	var spans []Span
	index := map[string]int{}
	for e := range events {
		i, known := index[e.ID]
		if !known {
			i = len(spans)
			index[e.ID] = i
			spans = append(spans, Span{
				ID: e.ID, Parent: e.Parent, Model: e.Model, Replica: e.Replica,
				Node: e.Node, Stage: e.Stage, Start: e.Time,
			})
		}
		spans[i].apply(e)
	}
	slices.SortStableFunc(spans, func(a, b Span) int { return a.Start.Compare(b.Start) })
	return Timeline{spans: spans}
}

func (s *Span) apply(e Event) {
	if e.Message != "" {
		s.Message = e.Message
	}
	switch e.Phase {
	case End:
		s.End = e.Time
	case Fail:
		s.End, s.Err = e.Time, e.Err
	case Skip:
		s.End, s.Skipped = e.Time, true
	default: // Begin and Progress leave it running
	}
}

// All yields the spans ordered by start.
func (t Timeline) All() iter.Seq[Span] { return slices.Values(t.spans) }

// ByStage yields, per stage in order of first start, the wall time during which any
// replica was in it. Skipped stages have none and are left out.
func (t Timeline) ByStage() iter.Seq2[Stage, time.Duration] {
	return func(yield func(Stage, time.Duration) bool) {
		var order []Stage
		by := map[Stage][]Span{}
		for _, s := range t.spans {
			if s.Skipped || isMarker(s.Stage) {
				continue
			}
			if by[s.Stage] == nil {
				order = append(order, s.Stage)
			}
			by[s.Stage] = append(by[s.Stage], s)
		}
		for _, stage := range order {
			if !yield(stage, covered(by[stage], time.Time{}, time.Time{})) {
				return
			}
		}
	}
}

// CriticalPath yields, in order of time, the chain of spans that decided when the replica
// was ready: each begins when the one before it let it begin. Only leaves count: a span
// with children is its children.
func (t Timeline) CriticalPath(replica string) iter.Seq[Span] {
	return func(yield func(Span) bool) {
		spans, _, end := t.startup(replica)
		var path []Span
		for at := end; len(spans) > 0; {
			last, rest, ok := latestBefore(spans, at)
			if !ok {
				break
			}
			path, spans, at = append(path, last), rest, last.Start
		}
		for _, s := range slices.Backward(path) {
			if !yield(s) {
				return
			}
		}
	}
}

// Unattributed is the wall time between the replica's first event and ready that no span
// covers. Before the replica is ready, it is measured up to the last end of a span.
func (t Timeline) Unattributed(replica string) time.Duration {
	spans, start, end := t.startup(replica)
	return end.Sub(start) - covered(spans, start, end)
}

// Startup is the wall time from the replica's first event to its ready marker, or to the
// last end of a span where it is not ready yet.
func (t Timeline) Startup(replica string) time.Duration {
	_, start, end := t.startup(replica)
	return end.Sub(start)
}

// Replicas yields the names of the replicas in order of their first span.
func (t Timeline) Replicas() iter.Seq[string] {
	return func(yield func(string) bool) {
		seen := map[string]bool{"": true}
		for _, s := range t.spans {
			if seen[s.Replica] {
				continue
			}
			seen[s.Replica] = true
			if !yield(s.Replica) {
				return
			}
		}
	}
}

// startup returns the finished leaf spans that led to ready, and the interval.
func (t Timeline) startup(replica string) (leaves []Span, start, end time.Time) {
	parents := map[string]bool{}
	for _, s := range t.spans {
		parents[s.Parent] = true
	}
	for _, s := range t.spans {
		if s.Replica != replica {
			continue
		}
		if start.IsZero() {
			start, end = s.Start, s.Start
		}
		if s.Stage == StageReady {
			return leaves, start, s.Start
		}
		if parents[s.ID] || s.Skipped || isMarker(s.Stage) || s.End.IsZero() {
			continue
		}
		leaves = append(leaves, s)
		if s.End.After(end) {
			end = s.End
		}
	}
	return leaves, start, end
}

func isMarker(s Stage) bool { return s == StageReady || s == StageStopped }

// latestBefore returns the span that ended last among those that started before at. One that
// was still running at that time is not what was waited for, unless there is no other.
func latestBefore(spans []Span, at time.Time) (last Span, rest []Span, ok bool) {
	for _, s := range spans {
		if s.Start.Before(at) {
			rest = append(rest, s)
		}
	}
	if len(rest) == 0 {
		return Span{}, nil, false
	}
	last = slices.MaxFunc(rest, func(a, b Span) int {
		return cmp.Or(running(b, at)-running(a, at), clip(a.End, at).Compare(clip(b.End, at)), b.Start.Compare(a.Start))
	})
	return last, rest, true
}

func running(s Span, at time.Time) int {
	if s.End.After(at) {
		return 1
	}
	return 0
}

func clip(t, limit time.Time) time.Time {
	if t.After(limit) {
		return limit
	}
	return t
}

// covered is the length of the union of the spans, within [from, to] where those are set.
func covered(spans []Span, from, to time.Time) time.Duration {
	sorted := slices.Clone(spans)
	slices.SortFunc(sorted, func(a, b Span) int { return a.Start.Compare(b.Start) })
	var sum time.Duration
	edge := from
	for _, s := range sorted {
		start, end := s.Start, s.End
		if start.Before(edge) {
			start = edge
		}
		if !to.IsZero() && end.After(to) {
			end = to
		}
		if end.After(start) {
			sum += end.Sub(start)
			edge = end
		}
	}
	return sum
}
