package spinup_test

import (
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/spinup-llm/spinup"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

// TestTelemetryIsWhatDocGoSays compares the names in doc.go with what is emitted.
func TestTelemetryIsWhatDocGoSays(t *testing.T) {
	t.Parallel()
	spans, reader := tracetest.NewInMemoryExporter(), sdkmetric.NewManualReader()
	o := quiet()
	o.TracerProvider = sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	o.MeterProvider = sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	o.Sources = (&counting{dir: tinyModel}).mux()
	o.Cache = cache(t)
	cfg := tiny()
	cfg.ModelLoadingConfig.ModelSource = spinup.From("count://model/tiny")
	e := exportingInto(o)
	d := begin(t, o, cfg)
	require.NoError(t, d.Ready(t.Context()))
	asked := <-e.asked
	_, replica := ids(t, asked)
	require.Equal(t, http.StatusOK, export(t, asked, own(t, asked, "Load model", id(1), replica)))
	require.NoError(t, d.Stop(t.Context()))

	documented := documentedNames(t)
	emitted := map[string]bool{}
	attrs := map[string]bool{}
	note := func(kvs []attribute.KeyValue) {
		for _, kv := range kvs {
			attrs[string(kv.Key)] = true
		}
	}
	byID := map[string]tracetest.SpanStub{}
	for _, s := range spans.GetSpans() {
		byID[s.SpanContext.SpanID().String()] = s
	}
	for _, s := range spans.GetSpans() {
		note(s.Attributes)
		name := s.Name
		parent := byID[s.Parent.SpanID().String()]
		switch name {
		case "spinup.deployment":
		case "spinup.replica":
			require.Equal(t, "spinup.deployment", parent.Name)
		case "reference: Load model":
			require.Equal(t, "spinup.replica", parent.Name)
			name = "ENGINE: NAME"
		default:
			require.Equal(t, "spinup.replica", parent.Name, name)
			name = "spinup.STAGE"
		}
		emitted[name] = true
		require.Equal(t, spans.GetSpans()[0].SpanContext.TraceID(), s.SpanContext.TraceID(), "one trace per deployment")
		require.False(t, s.EndTime.Before(s.StartTime))
	}
	var metrics metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(t.Context(), &metrics))
	for _, m := range metrics.ScopeMetrics[0].Metrics {
		emitted[m.Name] = true
		switch data := m.Data.(type) {
		case metricdata.Histogram[float64]:
			for _, p := range data.DataPoints {
				note(p.Attributes.ToSlice())
			}
		case metricdata.Sum[int64]:
			require.Len(t, data.DataPoints, 1)
			require.Positive(t, data.DataPoints[0].Value)
			note(data.DataPoints[0].Attributes.ToSlice())
		}
	}
	for name := range attrs {
		emitted[name] = true
	}
	require.Equal(t, documented, emitted)
}

// documentedNames are the names in the section Telemetry of doc.go.
func documentedNames(t *testing.T) map[string]bool {
	t.Helper()
	b, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(b), "// # Telemetry")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "// # ")
	names := map[string]bool{}
	for _, name := range regexp.MustCompile(`spinup\.[a-zA-Z.]+[a-zA-Z]|ENGINE: NAME`).FindAllString(section, -1) {
		names[name] = true
	}
	return names
}
