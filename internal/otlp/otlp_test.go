package otlp_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/spinup-llm/spinup/internal/otlp"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"
	commonv1 "go.opentelemetry.io/proto/otlp/common/v1"
	resourcev1 "go.opentelemetry.io/proto/otlp/resource/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"
)

func TestMain(m *testing.M) {
	// A connection whose request was too large lingers for half a second, so that the
	// sender reads the answer.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait"))
}

var (
	traceID = trace.TraceID{1, 2, 3}
	spanID  = trace.SpanID{4}
	parent  = trace.SpanID{5}
)

// encoded is an export request with a whole span and one without ids.
func encoded(tb testing.TB) []byte {
	tb.Helper()
	span := &tracev1.Span{
		TraceId: traceID[:], SpanId: spanID[:], ParentSpanId: parent[:], Name: "Load model",
		StartTimeUnixNano: 1_000_000_000, EndTimeUnixNano: 3_500_000_000,
		Attributes: []*commonv1.KeyValue{
			{Key: "s", Value: &commonv1.AnyValue{Value: &commonv1.AnyValue_StringValue{StringValue: "x"}}},
			{Key: "b", Value: &commonv1.AnyValue{Value: &commonv1.AnyValue_BoolValue{BoolValue: true}}},
			{Key: "i", Value: &commonv1.AnyValue{Value: &commonv1.AnyValue_IntValue{IntValue: -7}}},
			{Key: "d", Value: &commonv1.AnyValue{Value: &commonv1.AnyValue_DoubleValue{DoubleValue: 1.5}}},
			{Key: "list", Value: &commonv1.AnyValue{Value: &commonv1.AnyValue_ArrayValue{}}},
			{Key: "none"},
		},
		Status: &tracev1.Status{Code: tracev1.Status_STATUS_CODE_ERROR, Message: "no memory"},
	}
	body, err := proto.Marshal(&tracev1.TracesData{ResourceSpans: []*tracev1.ResourceSpans{{
		Resource: &resourcev1.Resource{Attributes: []*commonv1.KeyValue{
			{Key: "p", Value: &commonv1.AnyValue{Value: &commonv1.AnyValue_IntValue{IntValue: 1}}},
		}},
		ScopeSpans: []*tracev1.ScopeSpans{{Spans: []*tracev1.Span{span, {Name: "no ids"}}}},
	}}})
	require.NoError(tb, err)
	return body
}

func listen(t *testing.T) *otlp.Receiver {
	t.Helper()
	r, err := otlp.Listen(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return r
}

func send(t *testing.T, method string, u *url.URL, body []byte, header ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, u.String(), bytes.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/x-protobuf")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, "application/x-protobuf", resp.Header.Get("Content-Type"))
	return resp.StatusCode, string(answer)
}

func packed(t *testing.T, body []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(body)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

func TestSpansArrive(t *testing.T) {
	t.Parallel()
	var got []otlp.Span
	e := listen(t).Open(func(spans []otlp.Span) { got = append(got, spans...) })
	require.True(t, strings.HasSuffix(e.URL.Path, "/v1/traces"))
	code, body := send(t, http.MethodPost, e.URL, encoded(t))
	require.Equal(t, http.StatusOK, code)
	require.Empty(t, body, "an empty ExportTraceServiceResponse")
	code, _ = send(t, http.MethodPost, e.URL, packed(t, encoded(t)), "Content-Encoding", "gzip")
	require.Equal(t, http.StatusOK, code)

	require.Len(t, got, 2, "one of each request: the other has no ids")
	require.Equal(t, got[0], got[1])
	require.EqualError(t, got[0].Err, "no memory")
	got[0].Err = nil
	require.Equal(t, otlp.Span{
		TraceID: traceID, SpanID: spanID, Parent: parent, Name: "Load model",
		Start: time.Unix(1, 0), End: time.Unix(3, 500_000_000),
		Process: "\n\a\n\x01p\x12\x02\x18\x01", Remote: true,
		Attributes: map[string]string{"s": "x", "b": "true", "i": "-7", "d": "1.5"},
	}, got[0])
}

func TestParentsOfTheSameProcess(t *testing.T) {
	t.Parallel()
	for flags, remote := range map[uint32]bool{0: true, 1: true, 0x100: false, 0x101: false, 0x300: true} {
		body, err := proto.Marshal(&tracev1.TracesData{ResourceSpans: []*tracev1.ResourceSpans{{
			ScopeSpans: []*tracev1.ScopeSpans{{Spans: []*tracev1.Span{{TraceId: traceID[:], SpanId: spanID[:], Flags: flags}}}},
		}}})
		require.NoError(t, err)
		spans, err := otlp.Decode(body)
		require.NoError(t, err)
		require.Len(t, spans, 1)
		require.Equal(t, remote, spans[0].Remote, flags)
	}
}

func TestWhatIsRefused(t *testing.T) {
	t.Parallel()
	r := listen(t)
	e := r.Open(func([]otlp.Span) { t.Error("delivered") })
	elsewhere := func(path string) *url.URL { return e.URL.ResolveReference(&url.URL{Path: path}) }
	large := make([]byte, 4<<20+1) // no more, as the rest would be written to who has refused it
	for name, c := range map[string]struct {
		method string
		to     *url.URL
		body   []byte
		header []string
		code   int
		says   string
	}{
		"the usual path":   {"POST", elsewhere("/v1/traces"), encoded(t), nil, 404, "no such endpoint"},
		"another key":      {"POST", elsewhere("/GUESSED/v1/traces"), encoded(t), nil, 404, "no such endpoint"},
		"another signal":   {"POST", elsewhere(strings.Replace(e.URL.Path, "traces", "logs", 1)), encoded(t), nil, 404, "no such endpoint"},
		"another method":   {"GET", e.URL, nil, nil, 405, "POST"},
		"JSON":             {"POST", e.URL, []byte("{}"), []string{"Content-Type", "application/json"}, 415, "protobuf"},
		"another encoding": {"POST", e.URL, encoded(t), []string{"Content-Encoding", "br"}, 415, "gzip"},
		"not gzip":         {"POST", e.URL, encoded(t), []string{"Content-Encoding", "gzip"}, 400, "gzip"},
		"not protobuf":     {"POST", e.URL, []byte("hello"), nil, 400, "export request"},
		"too large":        {"POST", e.URL, large, nil, 413, "large"},
		"a bomb":           {"POST", e.URL, packed(t, large), []string{"Content-Encoding", "gzip"}, 413, "large"},
		"half a body":      {"POST", e.URL, packed(t, encoded(t))[:40], []string{"Content-Encoding", "gzip"}, 400, "broken"},
	} {
		code, body := send(t, c.method, c.to, c.body, c.header...)
		require.Equal(t, c.code, code, name)
		require.Contains(t, body, c.says, name)
	}
}

func TestEndpointsAreApart(t *testing.T) {
	t.Parallel()
	r := listen(t)
	var first, second int
	a := r.Open(func([]otlp.Span) { first++ })
	b := r.Open(func([]otlp.Span) { second++ })
	require.NotEqual(t, a.URL, b.URL)
	send(t, http.MethodPost, a.URL, encoded(t))
	a.Close()
	a.Close()
	code, _ := send(t, http.MethodPost, a.URL, encoded(t))
	require.Equal(t, http.StatusNotFound, code)
	code, _ = send(t, http.MethodPost, b.URL, encoded(t))
	require.Equal(t, http.StatusOK, code)
	require.Equal(t, 1, first)
	require.Equal(t, 1, second)
}

// What is under way when an endpoint closes ends first; what is in the receiver ends with it.
func TestCloseWaits(t *testing.T) {
	t.Parallel()
	r, err := otlp.Listen(context.WithoutCancel(t.Context()))
	require.NoError(t, err)
	entered, leave := make(chan struct{}), make(chan struct{})
	delivered := false
	e := r.Open(func([]otlp.Span) {
		close(entered)
		<-leave
		delivered = true
	})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, e.URL.String(), bytes.NewReader(encoded(t)))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/x-protobuf")
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
		if err == nil {
			_ = resp.Body.Close()
		}
	}()
	<-entered
	close(leave)
	e.Close()
	require.True(t, delivered)
	<-sent
	require.NoError(t, r.Close())
	require.NoError(t, r.Close())
}

func FuzzDecode(f *testing.F) {
	f.Add(encoded(f))
	f.Add([]byte{})
	f.Add(encoded(f)[:50])
	f.Fuzz(func(t *testing.T, body []byte) {
		spans, err := otlp.Decode(body)
		if err != nil {
			require.Empty(t, spans)
		}
		for _, s := range spans {
			require.True(t, s.TraceID.IsValid())
			require.True(t, s.SpanID.IsValid())
			require.False(t, s.End.Before(s.Start))
		}
	})
}
