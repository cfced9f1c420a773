package replica_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/replica"
	"github.com/stretchr/testify/require"
)

type apiError struct {
	Error struct{ Message, Type, Code string }
}

// post sends body through g and returns what was recorded, and the error if there is one.
func post(t *testing.T, g http.Handler, path, body string) (*httptest.ResponseRecorder, apiError) {
	t.Helper()
	w := httptest.NewRecorder()
	g.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(body)))
	var e apiError
	_ = json.Unmarshal(w.Body.Bytes(), &e)
	return w, e
}

func TestGatewayRoutesByModel(t *testing.T) {
	t.Parallel()
	f := fleet{handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, r.Body)
	})}
	set, _, _ := running(t, &f, 1)
	ready(t, set, 1)
	g := replica.NewGateway(nil, replica.Model{ID: "org/m", Set: set})
	const body = `{"model":"org/m","x":"` + "ü" + `"}`
	resp, _ := post(t, g, "/v1/chat/completions", body)
	require.Equal(t, http.StatusOK, resp.Code)
	require.Zero(t, strings.Compare(body, resp.Body.String()), "the request reaches the engine byte for byte")
}

func TestGatewayRefusesBadRequests(t *testing.T) {
	t.Parallel()
	set, _, _ := running(t, new(fleet), 1)
	ready(t, set, 1)
	g := replica.NewGateway(nil, replica.Model{ID: "a", Set: set}, replica.Model{ID: "b", Set: set})
	for _, c := range []struct {
		path, body, code, says string
		status                 int
	}{
		{"/v1/chat/completions", `{"model":"nope"}`, "model_not_found", "known models: a, b", 404},
		{"/v1/chat/completions", `{"messages":[]}`, "missing_model", "known models: a, b", 400},
		{"/v1/chat/completions", `{"model":5}`, "invalid_model", "must be a string", 400},
		{"/v1/chat/completions", `{"model":`, "invalid_json", "not valid JSON", 400},
		{"/v1/chat/completions", `[1]`, "invalid_json", "must be a JSON object, not array", 400},
		{"/v1/completions", ``, "invalid_json", "not valid JSON", 400},
		{"/v1/nothing", `{}`, "unknown_path", "/v1/models", 404},
		{"/v1/completions", `{"model":"a","p":"` + strings.Repeat("x", 33<<20) + `"}`, "request_too_large", "larger than", 413},
	} {
		resp, e := post(t, g, c.path, c.body)
		require.Equal(t, c.status, resp.Code, resp.Body.String())
		require.Equal(t, c.code, e.Error.Code)
		require.Equal(t, "invalid_request_error", e.Error.Type)
		require.Contains(t, e.Error.Message, c.says)
		require.Equal(t, "application/json", resp.Header().Get("Content-Type"))
	}
	w := httptest.NewRecorder()
	g.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/chat/completions", nil))
	require.Equal(t, http.StatusMethodNotAllowed, w.Code)
	require.Equal(t, http.MethodPost, w.Header().Get("Allow"))
}

func TestGatewayListsModels(t *testing.T) {
	t.Parallel()
	set, _, _ := running(t, new(fleet), 1)
	g := replica.NewGateway(nil, replica.Model{ID: "org/m", Created: time.Unix(7, 0), Set: set})
	for path, want := range map[string]string{
		"/v1/models":       `{"object":"list","data":[{"id":"org/m","object":"model","created":7,"owned_by":"spinup"}]}`,
		"/v1/models/org/m": `{"id":"org/m","object":"model","created":7,"owned_by":"spinup"}`,
	} {
		w := httptest.NewRecorder()
		g.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		require.JSONEq(t, want, w.Body.String())
	}
}

func TestNothingReadyIsUnavailable(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	f := fleet{fail: func(int) error { <-hold; return nil }}
	set, _, _ := running(t, &f, 1)
	t.Cleanup(func() { close(hold) })
	resp, e := post(t, replica.NewGateway(nil, replica.Model{ID: "m", Set: set}), "/v1/completions", `{"model":"m"}`)
	require.Equal(t, http.StatusServiceUnavailable, resp.Code)
	require.NotEmpty(t, resp.Header().Get("Retry-After"))
	require.Equal(t, "not_ready", e.Error.Code)
}

func TestNoneWantedIsSaid(t *testing.T) {
	t.Parallel()
	set, _, _ := running(t, new(fleet), 0)
	resp, e := post(t, replica.NewGateway(nil, replica.Model{ID: "m", Set: set}), "/v1/completions", `{"model":"m"}`)
	require.Equal(t, http.StatusServiceUnavailable, resp.Code)
	require.Contains(t, e.Error.Message, "scaled to zero")
}

func TestRefusedRequestGoesToAnotherReplica(t *testing.T) {
	t.Parallel()
	f := fleet{handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })}
	set, _, _ := running(t, &f, 2)
	ready(t, set, 2)
	f.at(0).server.Close() // dead, but nobody has noticed yet
	g := replica.NewGateway(nil, replica.Model{ID: "m", Set: set})
	for range 10 {
		resp, _ := post(t, g, "/v1/completions", `{"model":"m"}`)
		require.Equal(t, http.StatusOK, resp.Code, resp.Body.String())
		require.JSONEq(t, `{"model":"m"}`, resp.Body.String(), "the body is sent again whole")
	}
}

func TestStreamsPassUnbuffered(t *testing.T) {
	t.Parallel()
	next := make(chan struct{})
	f := fleet{handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		for range 3 {
			_, _ = w.Write([]byte("data: x\n\n"))
			w.(http.Flusher).Flush()
			taken(r, next)
		}
	})}
	set, _, _ := running(t, &f, 1)
	ready(t, set, 1)
	server := httptest.NewServer(replica.NewGateway(nil, replica.Model{ID: "m", Set: set}))
	defer server.Close()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/v1/completions", strings.NewReader(`{"model":"m"}`))
	require.NoError(t, err)
	resp, err := server.Client().Do(request)
	require.NoError(t, err)
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for range 3 { // each chunk arrives before the next is written
		require.True(t, lines.Scan())
		require.Equal(t, "data: x", lines.Text())
		require.True(t, lines.Scan())
		pass(t, next)
	}
}

func TestDrainWaitsForRequestsInFlight(t *testing.T) {
	t.Parallel()
	begun, finish := make(chan struct{}, 100), make(chan struct{})
	f := fleet{handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		begun <- struct{}{}
		<-finish
		_, _ = w.Write([]byte("whole answer"))
	})}
	set, _, stop := running(t, &f, 1)
	ready(t, set, 1)
	g := replica.NewGateway(nil, replica.Model{ID: "m", Set: set})
	answer := make(chan string, 1)
	go func() {
		resp, _ := post(t, g, "/v1/completions", `{"model":"m"}`)
		answer <- resp.Body.String()
	}()
	<-begun
	stopped := make(chan struct{})
	go func() {
		stop()
		close(stopped)
	}()
	require.Eventually(t, func() bool {
		for r := range set.All() {
			return r.Stage == lifecycle.StageDrain
		}
		return false
	}, 5*time.Second, time.Millisecond)
	resp, _ := post(t, g, "/v1/completions", `{"model":"m"}`)
	require.Equal(t, http.StatusServiceUnavailable, resp.Code, "no new request is taken")
	require.Empty(t, f.at(0).stops, "the engine is not told to stop yet")
	close(finish)
	require.Equal(t, "whole answer", <-answer)
	<-stopped
}

func TestClientThatLeavesEndsTheRequest(t *testing.T) {
	t.Parallel()
	begun, left := make(chan struct{}), make(chan struct{})
	f := fleet{handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		close(begun)
		<-r.Context().Done()
		close(left)
	})}
	set, _, _ := running(t, &f, 1)
	ready(t, set, 1)
	ctx, cancel := context.WithCancel(t.Context())
	g := replica.NewGateway(nil, replica.Model{ID: "m", Set: set})
	go func() {
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/v1/completions", strings.NewReader(`{"model":"m"}`))
		g.ServeHTTP(httptest.NewRecorder(), r)
	}()
	<-begun
	cancel()
	<-left
	require.Eventually(t, func() bool {
		for r := range set.All() {
			return r.Inflight == 0
		}
		return false
	}, 5*time.Second, time.Millisecond)
}

func TestBegunRequestIsNotSentTwice(t *testing.T) {
	t.Parallel()
	var begun atomic.Int64
	f := fleet{handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if begun.Add(1) > 1 {
			panic(http.ErrAbortHandler) // the connection breaks after the first request on it
		}
	})}
	set, _, _ := running(t, &f, 1)
	ready(t, set, 1)
	g := replica.NewGateway(nil, replica.Model{ID: "m", Set: set})
	for range 2 {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/completions", strings.NewReader(`{"model":"m"}`))
		r.Header.Set("Idempotency-Key", "1")
		g.ServeHTTP(httptest.NewRecorder(), r)
	}
	require.Equal(t, int64(2), begun.Load())
}
