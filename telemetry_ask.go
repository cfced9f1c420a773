package spinup

import (
	"context"
	"log/slog"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/internal/otlp"
	"github.com/spinup-llm/spinup/lifecycle"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// engineSpans asks an engine for the spans of its start, unless they would go nowhere:
// exporting costs the engine something. A start does not fail for want of them.
func (s *startup) engineSpans(ctx context.Context) engine.Trace {
	tracer, ok := s.engine.(engine.Tracer)
	r := s.telemetry.sampled(s.scope.Replica)
	if !ok || r == nil {
		return engine.Trace{}
	}
	receiver, err := s.telemetry.listen(ctx)
	if err != nil {
		s.state.Log.LogAttrs(ctx, slog.LevelWarn, "no spans of the engine: nothing can listen for them", slog.Any("err", err))
		return engine.Trace{}
	}
	replica := r.span.SpanContext()
	e := &engineTrace{
		telemetry: s.telemetry, tracer: tracer, redact: s.env.Redact, replica: replica,
		attrs:   attributes(lifecycle.Event{Model: s.scope.Model, Replica: s.scope.Replica, Node: s.scope.Node}),
		spans:   map[spanKey]trace.SpanContext{{id: replica.SpanID()}: replica},
		waiting: map[spanKey][]otlp.Span{},
	}
	e.endpoint = receiver.Open(e.receive)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.engine = e
	return engine.Trace{Traceparent: traceparent(ctx, r.span), Endpoint: e.endpoint.URL}
}

// sampled returns the trace of a replica whose span somebody will see, or nil.
func (t *telemetry) sampled(replica string) *replicaTrace {
	t.mu.Lock()
	r := t.replicas[replica]
	t.mu.Unlock()
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.span == nil || !r.span.SpanContext().IsSampled() {
		return nil
	}
	return r
}

// listen returns the deployment's receiver, which the first engine starts.
func (t *telemetry) listen(ctx context.Context) (*otlp.Receiver, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.receiver != nil {
		return t.receiver, nil
	}
	if t.ended {
		return nil, errStopped
	}
	var err error
	t.receiver, err = otlp.Listen(ctx)
	return t.receiver, err
}

// traceparent is the W3C header for what runs below s.
func traceparent(ctx context.Context, s trace.Span) string {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(trace.ContextWithSpan(ctx, s), carrier)
	return carrier["traceparent"]
}
