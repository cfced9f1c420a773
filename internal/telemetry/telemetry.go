package telemetry

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/spinup-llm/spinup/internal/otlp"
	"github.com/spinup-llm/spinup/lifecycle"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

// Attributes of spans, metrics and log records.
const (
	Model   = "spinup.model"
	Replica = "spinup.replica"
	Node    = "spinup.node"
	Stage   = "spinup.stage"
	Outcome = "spinup.outcome" // ok, failed
	Source  = "spinup.source"  // the scheme: s3, file

	scopeName = "github.com/spinup-llm/spinup"
)

// A Telemetry is that of one deployment. Its methods are safe for concurrent use.
type Telemetry struct {
	tracer   trace.Tracer
	duration metric.Float64Histogram
	bytes    metric.Int64Counter

	// mu guards what follows. It is not held while spans are made of events: what
	// processes them is the user's and may be slow.
	mu       sync.Mutex
	root     trace.Span
	replicas map[string]*replicaTrace // those that have not ended
	receiver *otlp.Receiver           // nil until an engine exports spans
	ended    bool
}

// New takes otel's global providers where there are none.
func New(tracers trace.TracerProvider, meters metric.MeterProvider) (*Telemetry, error) {
	if tracers == nil {
		tracers = otel.GetTracerProvider()
	}
	if meters == nil {
		meters = otel.GetMeterProvider()
	}
	meter := meters.Meter(scopeName)
	duration, err := meter.Float64Histogram("spinup.stage.duration", metric.WithUnit("s"),
		metric.WithDescription("how long a stage of a replica's start took"),
		metric.WithExplicitBucketBoundaries(.01, .05, .1, .5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000))
	if err != nil {
		return nil, err
	}
	bytes, err := meter.Int64Counter("spinup.download.bytes", metric.WithUnit("By"),
		metric.WithDescription("bytes of model files that downloads have fetched"))
	if err != nil {
		return nil, err
	}
	return &Telemetry{
		tracer: tracers.Tracer(scopeName), duration: duration, bytes: bytes,
		replicas: map[string]*replicaTrace{},
	}, nil
}

// Fetched counts bytes that came from uri.
func (t *Telemetry) Fetched(ctx context.Context, uri string, n int64) {
	scheme, _, _ := strings.Cut(uri, "://")
	t.bytes.Add(ctx, n, metric.WithAttributes(attribute.String(Source, scheme)))
}

// Begin opens the deployment's span below what ctx carries.
func (t *Telemetry) Begin(ctx context.Context) {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, t.root = t.tracer.Start(ctx, "spinup.deployment")
}

// End closes what is open.
func (t *Telemetry) End() {
	t.mu.Lock()
	replicas, receiver := t.replicas, t.receiver
	t.replicas, t.receiver, t.ended = map[string]*replicaTrace{}, nil, true
	t.mu.Unlock()
	for _, r := range replicas {
		r.end(time.Now(), nil)
	}
	if receiver != nil {
		_ = receiver.Close() // of a listener on loopback: nothing can be done about it
	}
	t.root.End()
}

// Record applies one event. Its replica is forgotten when nothing of it is left running,
// or when it has got no node.
func (t *Telemetry) Record(e lifecycle.Event) {
	r := t.replica(e)
	if r == nil {
		return
	}
	r.record(e)
	over := e.Stage == lifecycle.StageStopped && e.Phase != lifecycle.Begin ||
		e.Stage == lifecycle.StageProvision && e.Phase == lifecycle.Fail
	if over {
		t.Forget(e.Replica, e.Time, e.Err)
	}
}

// replica returns the trace of the event's replica, which the first span opens, or nil.
func (t *Telemetry) replica(e lifecycle.Event) *replicaTrace {
	t.mu.Lock()
	defer t.mu.Unlock()
	r, ok := t.replicas[e.Replica]
	if !ok && e.Phase == lifecycle.Begin && !t.ended {
		r = &replicaTrace{telemetry: t, root: t.root.SpanContext(), stages: map[string]*openSpan{}}
		t.replicas[e.Replica] = r
	}
	return r
}

// Forget ends the trace of a replica that is over, for example as it did not start.
func (t *Telemetry) Forget(replica string, at time.Time, err error) {
	t.mu.Lock()
	r := t.replicas[replica]
	delete(t.replicas, replica)
	t.mu.Unlock()
	if r != nil {
		r.end(at, err)
	}
}

// child starts a span at a time of its own. Events outlive every call, so there is no
// context to take.
func (t *Telemetry) child(parent trace.SpanContext, name string, at time.Time, attrs ...attribute.KeyValue) trace.Span {
	ctx := trace.ContextWithSpanContext(context.Background(), parent) //nolint:forbidigo // only carries the parent
	_, s := t.tracer.Start(ctx, name, trace.WithTimestamp(at), trace.WithAttributes(attrs...))
	return s
}

func attributes(e lifecycle.Event) []attribute.KeyValue {
	return []attribute.KeyValue{
		attribute.String(Model, e.Model), attribute.String(Replica, e.Replica), attribute.String(Node, e.Node),
	}
}

// OutcomeOf says how a stage has ended.
func OutcomeOf(e lifecycle.Event) string {
	if e.Phase == lifecycle.Fail {
		return "failed"
	}
	return "ok"
}
