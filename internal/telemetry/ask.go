package telemetry

import (
	"context"
	"errors"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/internal/otlp"
	"github.com/spinup-llm/spinup/lifecycle"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Engine has the spans that an engine exports of its start made again below those of its
// replica, and returns what the engine is to be told: nothing where they would go nowhere, as
// exporting costs it something.
func (t *Telemetry) Engine(ctx context.Context, tracer engine.Tracer, of lifecycle.Scope, redact func(string) string) (engine.Trace, error) {
	r := t.sampled(of.Replica)
	if r == nil {
		return engine.Trace{}, nil
	}
	receiver, err := t.listen(ctx)
	if err != nil {
		return engine.Trace{}, err
	}
	replica := r.span.SpanContext()
	e := &engineTrace{
		telemetry: t, tracer: tracer, redact: redact, replica: replica,
		attrs:   attributes(lifecycle.Event{Model: of.Model, Replica: of.Replica, Node: of.Node}),
		spans:   map[spanKey]trace.SpanContext{{id: replica.SpanID()}: replica},
		waiting: map[spanKey][]otlp.Span{},
	}
	e.endpoint = receiver.Open(e.receive)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.engine = e
	return engine.Trace{Traceparent: traceparent(ctx, r.span), Endpoint: e.endpoint.URL}, nil
}

// sampled returns the trace of a replica whose span somebody will see, or nil.
func (t *Telemetry) sampled(replica string) *replicaTrace {
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

var errEnded = errors.New("the deployment has ended")

// listen returns the deployment's receiver, which the first engine starts.
func (t *Telemetry) listen(ctx context.Context) (*otlp.Receiver, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.receiver != nil {
		return t.receiver, nil
	}
	if t.ended {
		return nil, errEnded
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
