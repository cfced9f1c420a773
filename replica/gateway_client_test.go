package replica_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/spinup-llm/spinup/replica"
	"github.com/stretchr/testify/require"
)

// overHTTP starts a server with h, in HTTP/1 and in HTTP/2.
func overHTTP(t *testing.T, h http.Handler, test func(t *testing.T, s *httptest.Server)) {
	t.Helper()
	for proto, two := range map[string]bool{"HTTP/1": false, "HTTP/2": true} {
		t.Run(proto, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewUnstartedServer(h)
			s.EnableHTTP2 = two
			s.StartTLS()
			t.Cleanup(s.Close)
			test(t, s)
		})
	}
}

func stream(t *testing.T, s *httptest.Server) io.Reader {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/v1/completions", strings.NewReader(`{"model":"m"}`))
	require.NoError(t, err)
	resp, err := s.Client().Do(r)
	require.NoError(t, err)
	t.Cleanup(func() { _ = resp.Body.Close() })
	require.Equal(t, http.StatusOK, resp.StatusCode)
	return resp.Body
}

func inflight(set *replica.Set) (n int) {
	for r := range set.All() {
		n += r.Inflight
	}
	return n
}

// TestAClientThatDoesNotReadIsLetGo has an engine that never stops writing.
func TestAClientThatDoesNotReadIsLetGo(t *testing.T) {
	t.Parallel()
	f := fleet{handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		for r.Context().Err() == nil {
			_, _ = w.Write(make([]byte, 1<<16))
		}
	})}
	overHTTPOf(t, &f, &replica.GatewayOptions{WriteWithin: 200 * time.Millisecond}, func(t *testing.T, set *replica.Set, s *httptest.Server) {
		t.Helper()
		body := stream(t, s)
		require.Eventually(t, func() bool { return inflight(set) == 0 }, 20*time.Second, 10*time.Millisecond)
		_, err := io.Copy(io.Discard, body)
		require.Error(t, err, "it sees that the answer is not whole")
	})
}

// overHTTPOf is overHTTP for a gateway before one replica.
func overHTTPOf(t *testing.T, f *fleet, o *replica.GatewayOptions, test func(t *testing.T, set *replica.Set, s *httptest.Server)) {
	t.Helper()
	set, _, _ := running(t, f, 1)
	ready(t, set, 1)
	one := make(chan struct{}, 1) // both count requests of the one set
	overHTTP(t, replica.NewGateway(o, replica.Model{ID: "m", Set: set}), func(t *testing.T, s *httptest.Server) {
		t.Helper()
		one <- struct{}{}
		defer func() { <-one }()
		test(t, set, s)
	})
}

// pass lets an engine that waits in taken go on, and does not wait for one that has gone.
func pass(t *testing.T, next chan<- struct{}) {
	t.Helper()
	select {
	case next <- struct{}{}:
	case <-time.After(time.Minute):
		require.Fail(t, "the engine has gone")
	}
}

func taken(r *http.Request, next <-chan struct{}) {
	select {
	case <-next:
	case <-r.Context().Done():
	}
}

// TestALongSilenceIsNoSlowClient has an engine that thinks for longer than a write may take.
func TestALongSilenceIsNoSlowClient(t *testing.T) {
	t.Parallel()
	next := make(chan struct{})
	f := fleet{handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		for range 2 {
			_, _ = io.WriteString(w, "data: x\n\n")
			w.(http.Flusher).Flush()
			taken(r, next)
		}
	})}
	const limit = time.Second
	o := &replica.GatewayOptions{WriteWithin: limit, BodyWithin: limit}
	overHTTPOf(t, &f, o, func(t *testing.T, _ *replica.Set, s *httptest.Server) {
		t.Helper()
		lines := bufio.NewReader(stream(t, s))
		for range 2 {
			_, err := lines.ReadString('\n')
			require.NoError(t, err)
			_, err = lines.ReadString('\n')
			require.NoError(t, err)
			<-time.After(limit + limit/4)
			pass(t, next)
		}
		_, err := lines.ReadByte()
		require.ErrorIs(t, err, io.EOF)
	})
}

// TestASlowUploadIsRefused never sends the end of a body, and neither costs a place at a
// replica.
func TestASlowUploadIsRefused(t *testing.T) {
	t.Parallel()
	overHTTPOf(t, new(fleet), &replica.GatewayOptions{BodyWithin: 100 * time.Millisecond}, func(t *testing.T, set *replica.Set, s *httptest.Server) {
		t.Helper()
		body, end := net.Pipe()
		defer func() { _ = end.Close() }()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/v1/completions", body)
		require.NoError(t, err)
		resp, err := s.Client().Do(r)
		require.NoError(t, err)
		defer func() { _ = resp.Body.Close() }()
		require.Equal(t, http.StatusRequestTimeout, resp.StatusCode)
		text, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.Contains(t, string(text), `"request_timeout"`)
		require.Zero(t, inflight(set))
	})
}

// TestTheConnectionToTheDoorIsNotTheEngines sends what Java's client and curl do: an offer of HTTP/2, and
// a question before the body.
func TestTheConnectionToTheDoorIsNotTheEngines(t *testing.T) {
	t.Parallel()
	f := fleet{handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_ = json.NewEncoder(w).Encode([]string{r.Header.Get("Connection"), r.Header.Get("Upgrade"), r.Header.Get("Expect")})
	})}
	set, _, _ := running(t, &f, 1)
	ready(t, set, 1)
	s := httptest.NewServer(replica.NewGateway(nil, replica.Model{ID: "m", Set: set}))
	t.Cleanup(s.Close)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/v1/completions", strings.NewReader(`{"model":"m"}`))
	require.NoError(t, err)
	r.Header = http.Header{"Connection": {"Upgrade, HTTP2-Settings"}, "Upgrade": {"h2c"}, "Http2-Settings": {"x"}, "Expect": {"100-continue"}}
	resp, err := (&http.Transport{ExpectContinueTimeout: time.Minute, DisableKeepAlives: true}).RoundTrip(r)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.NotEmpty(t, resp.Header.Get("X-Request-Id"))
	var seen []string
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&seen))
	require.Equal(t, []string{"", "", ""}, seen)
}

// TestAnEngineThatChangesTheProtocolKeepsNoPlace answers 101, for which the door never asks.
func TestAnEngineThatChangesTheProtocolKeepsNoPlace(t *testing.T) {
	t.Parallel()
	f := fleet{handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "x")
		w.WriteHeader(http.StatusSwitchingProtocols)
	})}
	set, _, _ := running(t, &f, 1)
	ready(t, set, 1)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/completions", strings.NewReader(`{"model":"m"}`))
	r.Header = http.Header{"Connection": {"Upgrade"}, "Upgrade": {"x"}}
	w := httptest.NewRecorder()
	replica.NewGateway(nil, replica.Model{ID: "m", Set: set}).ServeHTTP(w, r)
	require.Equal(t, http.StatusBadGateway, w.Code)
	require.Zero(t, inflight(set))
}
