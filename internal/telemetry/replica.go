package telemetry

import (
	"context"
	"sync"
	"time"

	"github.com/spinup-llm/spinup/lifecycle"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

// replicaTrace is the span of one replica's start and what hangs below it.
type replicaTrace struct {
	telemetry *Telemetry
	root      trace.SpanContext // of the deployment

	mu     sync.Mutex
	span   trace.Span // nil before the first event
	stages map[string]*openSpan
	engine *engineTrace // nil while its engine is not asked for spans
}

// openSpan is the span of a stage; replicaTrace.stages has them by the event's span id.
type openSpan struct {
	trace.Span
	start time.Time
}

func (r *replicaTrace) record(e lifecycle.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch e.Phase {
	case lifecycle.Begin:
		r.open(e)
	case lifecycle.End, lifecycle.Fail:
		r.close(e)
	default: // progress is no moment, and skipped stages take no time
	}
}

func (r *replicaTrace) open(e lifecycle.Event) {
	if r.span == nil {
		r.span = r.telemetry.child(r.root, "spinup.replica", e.Time, attributes(e)...)
	}
	parent := r.span.SpanContext()
	if p, ok := r.stages[e.Parent]; ok {
		parent = p.SpanContext()
	}
	s := &openSpan{start: e.Time}
	s.Span = r.telemetry.child(parent, "spinup."+string(e.Stage), e.Time,
		append(attributes(e), attribute.String(Stage, string(e.Stage)))...)
	r.stages[e.ID] = s
}

func (r *replicaTrace) close(e lifecycle.Event) {
	s := r.stages[e.ID]
	if s == nil {
		return
	}
	delete(r.stages, e.ID)
	if e.Phase == lifecycle.Fail {
		s.SetStatus(codes.Error, lifecycle.KindOf(e.Err).String())
		s.RecordError(e.Err, trace.WithTimestamp(e.Time))
	}
	s.SetAttributes(attribute.String(Outcome, OutcomeOf(e)))
	s.End(trace.WithTimestamp(e.Time))
	switch e.Stage {
	case lifecycle.StageStopped: // a moment
	case lifecycle.StageReady: // another; the start is over
		r.started(e.Time, e.Err)
	default:
		r.telemetry.duration.Record(context.Background(), e.Time.Sub(s.start).Seconds(), metric.WithAttributes( //nolint:forbidigo // as above
			attribute.String(Stage, string(e.Stage)), attribute.String(Model, e.Model), attribute.String(Outcome, OutcomeOf(e))))
	}
}

// started closes the span of the start: when the replica is ready, or when it has ended
// before that. What comes later is below a span that has ended, which OpenTelemetry allows.
func (r *replicaTrace) started(at time.Time, err error) {
	if r.span == nil || !r.span.IsRecording() {
		return
	}
	if err != nil {
		r.span.SetStatus(codes.Error, lifecycle.KindOf(err).String())
	}
	r.span.End(trace.WithTimestamp(at))
	if r.engine != nil {
		r.engine.started(at)
	}
}

// end closes the span of the start and takes no more spans of the engine.
func (r *replicaTrace) end(at time.Time, err error) {
	r.mu.Lock()
	r.started(at, err)
	engine := r.engine
	r.mu.Unlock()
	if engine != nil {
		engine.close()
	}
}
