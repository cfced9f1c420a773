package otlp

import (
	"errors"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/trace"
	commonv1 "go.opentelemetry.io/proto/otlp/common/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Span is one finished span.
type Span struct {
	TraceID trace.TraceID
	SpanID  trace.SpanID
	Parent  trace.SpanID // zero for a root
	// Process is equal for spans of one resource, which is one process. Programs that seed
	// their random numbers have equal span ids in several.
	Process string
	// Remote reports whether the parent may belong to another process.
	Remote     bool
	Name       string
	Start, End time.Time
	Attributes map[string]string // those with one plain value; nil when there are none
	Err        error             // of a span that failed: the description of its status
}

const (
	hasIsRemote = uint32(tracev1.SpanFlags_SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK)
	isRemote    = uint32(tracev1.SpanFlags_SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK)
)

// Decode reads the body of an export request. Spans without valid ids are left out, as the
// protocol asks for.
func Decode(body []byte) ([]Span, error) {
	var data tracev1.TracesData // has the wire format of ExportTraceServiceRequest, without gRPC
	if err := (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(body, &data); err != nil {
		return nil, err
	}
	var spans []Span
	for _, resource := range data.GetResourceSpans() {
		process, err := proto.MarshalOptions{Deterministic: true}.Marshal(resource.GetResource())
		if err != nil {
			return nil, err
		}
		for _, scope := range resource.GetScopeSpans() {
			for _, s := range scope.GetSpans() {
				if span, ok := decodeSpan(s); ok {
					span.Process = string(process)
					spans = append(spans, span)
				}
			}
		}
	}
	return spans, nil
}

func decodeSpan(s *tracev1.Span) (Span, bool) {
	out := Span{
		Name: s.GetName(), Attributes: attributes(s.GetAttributes()),
		Start: at(s.GetStartTimeUnixNano()), End: at(s.GetEndTimeUnixNano()),
		Remote: s.GetFlags()&(hasIsRemote|isRemote) != hasIsRemote,
	}
	if len(s.GetTraceId()) != len(out.TraceID) || len(s.GetSpanId()) != len(out.SpanID) {
		return Span{}, false
	}
	copy(out.TraceID[:], s.GetTraceId())
	copy(out.SpanID[:], s.GetSpanId())
	if len(s.GetParentSpanId()) == len(out.Parent) {
		copy(out.Parent[:], s.GetParentSpanId())
	}
	if out.End.Before(out.Start) {
		out.End = out.Start
	}
	if s.GetStatus().GetCode() == tracev1.Status_STATUS_CODE_ERROR {
		out.Err = errors.New(s.GetStatus().GetMessage())
	}
	return out, out.TraceID.IsValid() && out.SpanID.IsValid()
}

func at(nano uint64) time.Time {
	return time.Unix(0, int64(nano)) //nolint:gosec // beyond the year 2262 any time is as wrong
}

func attributes(kvs []*commonv1.KeyValue) map[string]string {
	var out map[string]string
	for _, kv := range kvs {
		text, ok := plain(kv.GetValue())
		if !ok {
			continue
		}
		if out == nil {
			out = map[string]string{}
		}
		out[kv.GetKey()] = text
	}
	return out
}

func plain(v *commonv1.AnyValue) (string, bool) {
	switch v := v.GetValue().(type) {
	case *commonv1.AnyValue_StringValue:
		return v.StringValue, true
	case *commonv1.AnyValue_BoolValue:
		return strconv.FormatBool(v.BoolValue), true
	case *commonv1.AnyValue_IntValue:
		return strconv.FormatInt(v.IntValue, 10), true
	case *commonv1.AnyValue_DoubleValue:
		return strconv.FormatFloat(v.DoubleValue, 'g', -1, 64), true
	default:
		return "", false
	}
}
