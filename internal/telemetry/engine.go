package telemetry

import (
	"slices"
	"sync"
	"time"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/internal/otlp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// maxEngineSpans bounds what is kept of one start, at two entries for each span. A worker
// has some ten, and one more for each piece of a model that it compiles.
const maxEngineSpans = 20_000

// engineTrace makes the spans that an engine exports of its start again, below the span of
// its replica. Children arrive before their parents, which end later, but a parent has to
// be made first: so a span waits for its parent, until the replica ends.
type engineTrace struct {
	telemetry *Telemetry
	tracer    engine.Tracer
	endpoint  *otlp.Endpoint
	redact    func(string) string
	attrs     []attribute.KeyValue
	replica   trace.SpanContext

	mu      sync.Mutex
	over    time.Time                     // when the start was over; zero before
	spans   map[spanKey]trace.SpanContext // those that came; not valid while they wait
	waiting map[spanKey][]otlp.Span       // by their parent
}

// spanKey is a span of one process, or of any: the workers of vLLM seed their random
// numbers equally, so those of several ranks have the same span ids.
type spanKey struct {
	process string // "" for any
	id      trace.SpanID
}

func parentOf(s otlp.Span) spanKey {
	if s.Remote {
		return spanKey{id: s.Parent}
	}
	return spanKey{s.Process, s.Parent}
}

// receive takes what the engine has sent and makes the spans whose parents are there.
func (e *engineTrace) receive(spans []otlp.Span) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, s := range spans {
		if e.wants(s) {
			e.set(s, trace.SpanContext{})
			e.waiting[parentOf(s)] = append(e.waiting[parentOf(s)], s)
		}
	}
	for parent := range e.waiting {
		if e.spans[parent].IsValid() {
			e.below(parent)
		}
	}
}

// wants refuses spans of other traces, what a sender repeats since it got no answer, and
// what begins after the start, such as the spans of requests.
func (e *engineTrace) wants(s otlp.Span) bool {
	_, seen := e.spans[spanKey{s.Process, s.SpanID}]
	return !seen && s.TraceID == e.replica.TraceID() && s.SpanID != e.replica.SpanID() &&
		len(e.spans) < maxEngineSpans && (e.over.IsZero() || s.Start.Before(e.over))
}

// set notes what a span has become. Of equal ids the first one stands for any.
func (e *engineTrace) set(s otlp.Span, made trace.SpanContext) {
	e.spans[spanKey{s.Process, s.SpanID}] = made
	if key := (spanKey{id: s.SpanID}); !e.spans[key].IsValid() {
		e.spans[key] = made
	}
}

// below makes the spans that waited for parent, and those that waited for them.
func (e *engineTrace) below(parent spanKey) {
	children := e.waiting[parent]
	delete(e.waiting, parent)
	for _, s := range children {
		e.set(s, e.remake(e.spans[parent], s))
		e.below(spanKey{s.Process, s.SpanID})
		e.below(spanKey{id: s.SpanID})
	}
}

func (e *engineTrace) remake(parent trace.SpanContext, s otlp.Span) trace.SpanContext {
	attrs := slices.Clone(e.attrs)
	for k, v := range s.Attributes {
		attrs = append(attrs, attribute.String(k, e.redact(v)))
	}
	if stage, ok := e.tracer.MapSpan(s.Name); ok {
		attrs = append(attrs, attribute.String(Stage, string(stage)))
	}
	span := e.telemetry.child(parent, e.tracer.Name()+": "+e.redact(s.Name), s.Start, attrs...)
	if s.Err != nil {
		span.SetStatus(codes.Error, e.redact(s.Err.Error()))
	}
	span.End(trace.WithTimestamp(s.End))
	return span.SpanContext()
}

// started says when the start was over. Its spans may come until close.
func (e *engineTrace) started(at time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.over = at
}

// close takes no more spans. Those whose parents never came hang below the replica's.
func (e *engineTrace) close() {
	e.endpoint.Close()
	e.mu.Lock()
	defer e.mu.Unlock()
	for parent := range e.waiting {
		if _, came := e.spans[parent]; !came {
			e.spans[parent] = e.replica
			e.below(parent)
		}
	}
}
