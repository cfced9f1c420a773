package spinup

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/spinup-llm/spinup/lifecycle"
)

// Attributes of spans, metrics and log records.
const (
	attrModel   = "spinup.model"
	attrReplica = "spinup.replica"
	attrNode    = "spinup.node"
	attrStage   = "spinup.stage"
	attrOutcome = "spinup.outcome" // ok, failed
	attrSource  = "spinup.source"  // the scheme: s3, file
	scopeName   = "github.com/spinup-llm/spinup"
)

// telemetry turns events into spans and metrics. One trace holds a deployment: the span
// spinup.deployment, below it one spinup.replica per replica, below that one per stage.
type telemetry struct {
	tracer   trace.Tracer
	duration metric.Float64Histogram
	bytes    metric.Int64Counter

	mu       sync.Mutex
	root     trace.Span
	replicas map[string]*openSpan
	stages   map[string]*openSpan // by the event's span id
}

type openSpan struct {
	trace.Span
	start  time.Time
	source string // of a download
	done   int64  // bytes of a download counted so far
}

func newTelemetry(o *Options) (*telemetry, error) {
	tracers, meters := o.TracerProvider, o.MeterProvider
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
		metric.WithDescription("bytes of model files brought and verified"))
	if err != nil {
		return nil, err
	}
	return &telemetry{
		tracer: tracers.Tracer(scopeName), duration: duration, bytes: bytes,
		replicas: map[string]*openSpan{}, stages: map[string]*openSpan{},
	}, nil
}

// begin opens the deployment's span below what ctx carries.
func (t *telemetry) begin(ctx context.Context) {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, t.root = t.tracer.Start(ctx, "spinup.deployment")
}

// end closes what is open.
func (t *telemetry) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id := range t.replicas {
		t.endReplica(id, time.Now(), nil)
	}
	t.root.End()
}

// record applies one event.
func (t *telemetry) record(e lifecycle.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch e.Phase {
	case lifecycle.Begin:
		t.open(e)
	case lifecycle.Progress:
		t.progress(e)
	case lifecycle.End, lifecycle.Fail:
		t.close(e)
	default: // skipped stages take no time
	}
}

func (t *telemetry) open(e lifecycle.Event) {
	parent := t.replica(e)
	if p, ok := t.stages[e.Parent]; ok {
		parent = p
	}
	s := &openSpan{start: e.Time}
	if e.Stage == lifecycle.StageDownload {
		s.source, _, _ = strings.Cut(e.Message, "://")
	}
	s.Span = t.child(parent.Span, "spinup."+string(e.Stage), e.Time,
		append(attributes(e), attribute.String(attrStage, string(e.Stage)))...)
	t.stages[e.ID] = s
}

// replica returns the span of the event's replica, opened by its first event.
func (t *telemetry) replica(e lifecycle.Event) *openSpan {
	if s, ok := t.replicas[e.Replica]; ok {
		return s
	}
	s := &openSpan{start: e.Time, Span: t.child(t.root, "spinup.replica", e.Time, attributes(e)...)}
	t.replicas[e.Replica] = s
	return s
}

func (t *telemetry) child(parent trace.Span, name string, at time.Time, attrs ...attribute.KeyValue) trace.Span {
	ctx := trace.ContextWithSpan(context.Background(), parent) //nolint:forbidigo // events outlive every call
	_, s := t.tracer.Start(ctx, name, trace.WithTimestamp(at), trace.WithAttributes(attrs...))
	return s
}

func (t *telemetry) progress(e lifecycle.Event) {
	s := t.stages[e.ID]
	if s == nil || s.source == "" || e.Done <= s.done {
		return
	}
	t.bytes.Add(context.Background(), e.Done-s.done, //nolint:forbidigo // events outlive every call
		metric.WithAttributes(attribute.String(attrSource, s.source)))
	s.done = e.Done
}

func (t *telemetry) close(e lifecycle.Event) {
	s := t.stages[e.ID]
	if s == nil {
		return
	}
	delete(t.stages, e.ID)
	outcome := "ok"
	if e.Phase == lifecycle.Fail {
		outcome = "failed"
		s.SetStatus(codes.Error, lifecycle.KindOf(e.Err).String())
		s.RecordError(e.Err, trace.WithTimestamp(e.Time))
	}
	s.SetAttributes(attribute.String(attrOutcome, outcome))
	s.End(trace.WithTimestamp(e.Time))
	if e.Stage != lifecycle.StageReady && e.Stage != lifecycle.StageStopped {
		t.duration.Record(context.Background(), e.Time.Sub(s.start).Seconds(), metric.WithAttributes( //nolint:forbidigo // as above
			attribute.String(attrStage, string(e.Stage)), attribute.String(attrModel, e.Model), attribute.String(attrOutcome, outcome)))
	}
	if e.Stage == lifecycle.StageReady || e.Stage == lifecycle.StageStopped {
		t.endReplica(e.Replica, e.Time, e.Err)
	}
}

// endReplica closes the span of a replica's start: when it is ready, or when it has ended
// before that. What comes later is below a span that has ended, which OpenTelemetry allows.
func (t *telemetry) endReplica(id string, at time.Time, err error) {
	s := t.replicas[id]
	if s == nil || !s.IsRecording() {
		return
	}
	if err != nil {
		s.SetStatus(codes.Error, lifecycle.KindOf(err).String())
	}
	s.End(trace.WithTimestamp(at))
}

// traceparent is the W3C header for what runs below the replica's span.
func (t *telemetry) traceparent(replica string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.replicas[replica]
	if s == nil || !s.SpanContext().IsSampled() {
		return ""
	}
	carrier := propagation.MapCarrier{}
	ctx := trace.ContextWithSpan(context.Background(), s.Span) //nolint:forbidigo // only carries the span
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier["traceparent"]
}

func attributes(e lifecycle.Event) []attribute.KeyValue {
	return []attribute.KeyValue{
		attribute.String(attrModel, e.Model), attribute.String(attrReplica, e.Replica), attribute.String(attrNode, e.Node),
	}
}

// emit records an event, traces it, and logs it: progress at debug, failures as errors,
// the rest as info.
func (d *Deployment) emit(e lifecycle.Event) {
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	d.log.Append(e)
	d.telemetry.record(e)
	level := slog.LevelInfo
	switch e.Phase {
	case lifecycle.Progress:
		level = slog.LevelDebug
	case lifecycle.Fail:
		level = slog.LevelError
	default:
	}
	attrs := []slog.Attr{
		slog.String(attrModel, e.Model), slog.String(attrReplica, e.Replica), slog.String(attrNode, e.Node),
		slog.String(attrStage, string(e.Stage)), slog.String("phase", e.Phase.String()),
	}
	if e.Message != "" {
		attrs = append(attrs, slog.String("message", e.Message))
	}
	if e.Total > 0 {
		attrs = append(attrs, slog.Int64("done", e.Done), slog.Int64("total", e.Total))
	}
	d.logger.LogAttrs(context.Background(), level, "stage", attrs...) //nolint:forbidigo // events outlive every call
}
