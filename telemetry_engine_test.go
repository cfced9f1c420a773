package spinup_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spinup-llm/spinup"
	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/engine/reference"
	"github.com/spinup-llm/spinup/engine/vllm"
	"github.com/spinup-llm/spinup/internal/randmodel"
	"github.com/spinup-llm/spinup/internal/testenv"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/replica/local"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	commonv1 "go.opentelemetry.io/proto/otlp/common/v1"
	resourcev1 "go.opentelemetry.io/proto/otlp/resource/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// exporting is the reference engine with spans of its start, which the test sends for it.
type exporting struct {
	reference.Engine
	asked chan engine.Trace // one for each start
	fails *atomic.Bool      // the start
}

func (exporting) MapSpan(name string) (lifecycle.Stage, bool) {
	return lifecycle.StageLoadWeights, name == "Load model"
}

func (e exporting) Command(spec engine.Spec) (engine.Command, error) {
	select {
	case e.asked <- spec.Trace:
	default:
	}
	if e.fails.Load() {
		return engine.Command{}, &lifecycle.Error{Op: "test", Kind: lifecycle.EngineFailed, Err: errors.New("no command")}
	}
	return e.Engine.Command(spec)
}

// exportingInto makes o's reference engine one that exports.
func exportingInto(o *spinup.Options) exporting {
	e := exporting{asked: make(chan engine.Trace, 8), fails: new(atomic.Bool)}
	o.Engines = map[string]engine.Engine{"reference": e}
	return e
}

// ids are those of a traceparent: of the trace and of the replica's span.
func ids(t *testing.T, asked engine.Trace) (traceID, replica []byte) {
	t.Helper()
	parts := strings.Split(asked.Traceparent, "-")
	require.Len(t, parts, 4)
	traceID, err := hex.DecodeString(parts[1])
	require.NoError(t, err)
	replica, err = hex.DecodeString(parts[2])
	require.NoError(t, err)
	return traceID, replica
}

func id(n byte) []byte { return []byte{7, 0, 0, 0, 0, 0, 0, n} }

// own is a span of the engine's in the trace that it was asked for.
func own(t *testing.T, asked engine.Trace, name string, spanID, parent []byte) *tracev1.Span {
	t.Helper()
	traceID, _ := ids(t, asked)
	now := time.Now()
	return &tracev1.Span{
		TraceId: traceID, SpanId: spanID, ParentSpanId: parent, Name: name,
		StartTimeUnixNano: uint64(now.Add(-time.Second).UnixNano()), EndTimeUnixNano: uint64(now.UnixNano()),
	}
}

// export sends spans as the engine does and returns the status.
func export(t *testing.T, asked engine.Trace, spans ...*tracev1.Span) int {
	t.Helper()
	return exportFrom(t, asked, "core", spans...)
}

// exportFrom is export by one of the engine's processes.
func exportFrom(t *testing.T, asked engine.Trace, process string, spans ...*tracev1.Span) int {
	t.Helper()
	body, err := proto.Marshal(&tracev1.TracesData{ResourceSpans: []*tracev1.ResourceSpans{{
		Resource: &resourcev1.Resource{Attributes: []*commonv1.KeyValue{
			{Key: "process", Value: &commonv1.AnyValue{Value: &commonv1.AnyValue_StringValue{StringValue: process}}},
		}},
		ScopeSpans: []*tracev1.ScopeSpans{{Spans: spans}},
	}}})
	require.NoError(t, err)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, asked.Endpoint.String(), bytes.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/x-protobuf")
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return 0 // nobody listens
	}
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode
}

// exported is what a deployment's tracer provider has got.
type exported struct{ *tracetest.InMemoryExporter }

func watched(o *spinup.Options) exported {
	spans := tracetest.NewInMemoryExporter()
	o.TracerProvider = sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	return exported{spans}
}

// path names a span and those above it, innermost first.
func (e exported) path(t *testing.T, name string) string {
	t.Helper()
	byID := map[string]tracetest.SpanStub{}
	var at tracetest.SpanStub
	for _, s := range e.GetSpans() {
		byID[s.SpanContext.SpanID().String()] = s
		if s.Name == name {
			at = s
		}
	}
	var names []string
	for at.Name != "" {
		names = append(names, at.Name)
		at = byID[at.Parent.SpanID().String()]
	}
	return strings.Join(names, " < ")
}

func (e exported) find(name string) (found []tracetest.SpanStub) {
	for _, s := range e.GetSpans() {
		if s.Name == name {
			found = append(found, s)
		}
	}
	return found
}

func TestSpansOfTheEngineHangBelowItsReplica(t *testing.T) {
	t.Parallel()
	o := quiet()
	spans, e := watched(o), exportingInto(o)
	cfg := tiny()
	cfg.RuntimeEnv.EnvVars = lifecycle.EnvVars{"HF_TOKEN": "hf_canary-1f0c"}
	d := begin(t, o, cfg)
	require.NoError(t, d.Ready(t.Context()))
	asked := <-e.asked
	_, replica := ids(t, asked)

	weights := own(t, asked, "Load weights", id(3), id(2))
	weights.Status = &tracev1.Status{Code: tracev1.Status_STATUS_CODE_ERROR, Message: "refused hf_canary-1f0c"}
	foreign := own(t, asked, "Foreign", id(4), replica)
	foreign.TraceId = append([]byte{^foreign.TraceId[0]}, foreign.TraceId[1:]...)
	late := own(t, asked, "Request", id(5), replica)
	late.StartTimeUnixNano = late.EndTimeUnixNano + uint64(time.Hour)
	late.EndTimeUnixNano = late.StartTimeUnixNano
	impostor := own(t, asked, "Impostor", replica, id(2))
	require.Equal(t, http.StatusOK, export(t, asked, weights, foreign, late, impostor))
	require.Empty(t, spans.find("reference: Load weights"), "its parent has not come")
	load := own(t, asked, "Load model", id(2), id(1))
	load.StartTimeUnixNano = uint64(time.Now().Add(-time.Minute).UnixNano())
	all := own(t, asked, "Overall", id(1), replica)
	require.Equal(t, http.StatusOK, export(t, asked, load, all))
	require.Equal(t, http.StatusOK, export(t, asked, load, all), "a sender that got no answer repeats")

	require.Equal(t, "reference: Load weights < reference: Load model < reference: Overall < spinup.replica", spans.path(t, "reference: Load weights"))
	require.Len(t, spans.find("reference: Overall"), 1)
	for _, refused := range []string{"Foreign", "Request", "Impostor"} {
		require.Empty(t, spans.find("reference: "+refused))
	}
	made := spans.find("reference: Load model")
	require.Len(t, made, 1)
	require.Equal(t, load.GetStartTimeUnixNano(), uint64(made[0].StartTime.UnixNano()))
	require.Equal(t, load.GetEndTimeUnixNano(), uint64(made[0].EndTime.UnixNano()))
	require.Subset(t, made[0].Attributes, []attribute.KeyValue{
		attribute.String("spinup.stage", "load_weights"), attribute.String("spinup.model", "tiny"), attribute.String("spinup.replica", "tiny#1"),
	})
	failed := spans.find("reference: Load weights")[0]
	require.Equal(t, sdktrace.Status{Code: codes.Error, Description: "refused [redacted]"}, failed.Status)
	require.NotContains(t, failed.Attributes, attribute.String("spinup.stage", "load_weights"), "unknown to MapSpan")

	orphan := own(t, asked, "Orphan", id(8), id(9))
	child := own(t, asked, "Child", id(7), id(8))
	loop := []*tracev1.Span{own(t, asked, "Loop", id(10), id(11)), own(t, asked, "Loop", id(11), id(10))}
	require.Equal(t, http.StatusOK, export(t, asked, append(loop, child, orphan)...))
	require.NoError(t, d.Stop(t.Context()))
	require.Equal(t, "reference: Child < reference: Orphan < spinup.replica < spinup.deployment", spans.path(t, "reference: Child"))
	require.Empty(t, spans.find("reference: Loop"), "nothing is its own ancestor")
	require.Zero(t, export(t, asked, own(t, asked, "After", id(12), replica)), "the receiver has ended")
}

func TestReplicasOfADeploymentHaveEndpointsOfTheirOwn(t *testing.T) {
	t.Parallel()
	o := quiet()
	spans, e := watched(o), exportingInto(o)
	cfg := tiny()
	n := spinup.NumReplicas(2)
	cfg.DeploymentConfig.NumReplicas = &n
	d := begin(t, o, cfg)
	require.NoError(t, d.Ready(t.Context()))
	a, b := <-e.asked, <-e.asked
	require.Equal(t, a.Endpoint.Host, b.Endpoint.Host, "one receiver")
	require.NotEqual(t, a.Endpoint.Path, b.Endpoint.Path)
	_, replica := ids(t, a)
	require.Equal(t, http.StatusOK, export(t, a, own(t, a, "Load model", id(1), replica)))
	require.Equal(t, http.StatusOK, export(t, b, own(t, b, "Init device", id(1), replica)), "equal ids do not meet")
	require.NoError(t, d.Stop(t.Context()))
	one, other := spans.find("reference: Load model")[0], spans.find("reference: Init device")[0]
	require.Equal(t, hex.EncodeToString(replica), one.Parent.SpanID().String())
	require.NotEqual(t, one.Parent.SpanID(), other.Parent.SpanID(), "a replica cannot put spans below another")
}

// Workers of vLLM seed their random numbers equally, so their spans have the same ids.
func TestRanksWithEqualIDsAreApart(t *testing.T) {
	t.Parallel()
	o := quiet()
	spans, e := watched(o), exportingInto(o)
	d := begin(t, o, tiny())
	require.NoError(t, d.Ready(t.Context()))
	asked := <-e.asked
	_, replica := ids(t, asked)
	core := own(t, asked, "Core", id(1), replica)
	for _, rank := range []string{"0", "1"} {
		load, weights := own(t, asked, "Load "+rank, id(2), id(1)), own(t, asked, "Weights "+rank, id(3), id(2))
		weights.Flags = uint32(tracev1.SpanFlags_SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK) // of this process
		require.Equal(t, http.StatusOK, exportFrom(t, asked, "worker "+rank, weights))
		require.Equal(t, http.StatusOK, exportFrom(t, asked, "worker "+rank, load))
	}
	require.Equal(t, http.StatusOK, export(t, asked, core))
	for _, rank := range []string{"0", "1"} {
		require.Equal(t, "reference: Weights "+rank+" < reference: Load "+rank+" < reference: Core < spinup.replica",
			spans.path(t, "reference: Weights "+rank))
	}
}

func TestAFailedReplicaTakesNoMoreSpans(t *testing.T) {
	t.Parallel()
	o := quiet()
	spans, e := watched(o), exportingInto(o)
	e.fails.Store(true)
	d, err := spinup.New(o, tiny())
	require.NoError(t, err)
	require.NoError(t, d.Start(t.Context()))
	require.ErrorIs(t, d.Ready(t.Context()), lifecycle.EngineFailed)
	asked := <-e.asked
	_, replica := ids(t, asked)
	require.NotEqual(t, http.StatusOK, export(t, asked, own(t, asked, "After", id(1), replica)))
	require.NoError(t, d.Stop(t.Context()))
	require.Empty(t, spans.find("reference: After"))
	ended := spans.find("spinup.replica")
	require.Len(t, ended, 1)
	require.Equal(t, codes.Error, ended[0].Status.Code)
}

func TestWithoutAProviderNobodyIsAsked(t *testing.T) {
	t.Parallel()
	for name, sampler := range map[string]sdktrace.Sampler{"none": nil, "never": sdktrace.NeverSample()} {
		o := quiet()
		if sampler != nil {
			o.TracerProvider = sdktrace.NewTracerProvider(sdktrace.WithSampler(sampler))
		}
		e := exportingInto(o)
		d := begin(t, o, tiny())
		require.NoError(t, d.Ready(t.Context()))
		require.Equal(t, engine.Trace{}, <-e.asked, name)
	}
}

// What vLLM itself exports of its start hangs below the replica.
func TestRealSpansOfVLLM(t *testing.T) {
	t.Parallel()
	program := testenv.VLLM(t)
	dir := t.TempDir()
	require.NoError(t, randmodel.Write(dir, randmodel.Options{}))
	var output bytes.Buffer
	o := &spinup.Options{Logger: slog.New(slog.NewTextHandler(&output, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	o.Engines = map[string]engine.Engine{"vLLM": vllm.Engine{Path: program}}
	o.Provisioner = &local.Provisioner{Accelerator: "none"}
	spans := watched(o)
	cfg := &spinup.LLMConfig{ModelLoadingConfig: spinup.ModelLoadingConfig{ModelID: "tiny", ModelSource: spinup.From(dir)}}
	cfg.EngineKwargs.EnforceEager, cfg.EngineKwargs.MaxModelLen = new(true), 2048
	cfg.RuntimeEnv.EnvVars = lifecycle.EnvVars{"VLLM_CPU_KVCACHE_SPACE": "1"}
	d := begin(t, o, cfg)
	require.NoError(t, d.Ready(t.Context()))
	flushed, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for len(spans.find("vLLM: EngineCoreProc init")) == 0 && flushed.Err() == nil {
		select {
		case <-flushed.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
	require.NoError(t, d.Stop(t.Context()))
	t.Cleanup(func() {
		for line := range strings.Lines(output.String()) {
			if t.Failed() && strings.Contains(line, "xport") {
				t.Log(line) // the exporter of vLLM complains
			}
		}
	})

	for _, name := range []string{"Load model", "Initialize model", "Load weights", "Prepare model", "Allocate KV cache"} {
		path := spans.path(t, "vLLM: "+name)
		require.True(t, strings.HasSuffix(path, " < vLLM: EngineCoreProc init < spinup.replica < spinup.deployment"), path)
	}
	require.Empty(t, spans.find("vLLM: llm_request"), "requests are not part of the start")
	load := spans.find("vLLM: Load model")[0]
	require.Contains(t, load.Attributes, attribute.String("spinup.stage", "load_weights"))
}
