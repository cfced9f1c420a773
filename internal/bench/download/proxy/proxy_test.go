//go:build linux

package proxy_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spinup-llm/spinup/internal/bench/download/proxy"
	"github.com/stretchr/testify/require"
)

// serve starts p in front of a server that sends size bytes, and returns its address.
func serve(t *testing.T, p *proxy.Proxy, size int) string {
	t.Helper()
	sock, err := new(net.ListenConfig).Listen(t.Context(), "unix", filepath.Join(t.TempDir(), "s"))
	require.NoError(t, err)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("x", size))
	}))
	_ = srv.Listener.Close()
	srv.Listener = sock
	srv.Start()
	t.Cleanup(srv.Close)

	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Serve(ctx, l, "unix:"+sock.Addr().String()) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	return "http://" + l.Addr().String()
}

func get(t *testing.T, client *http.Client, url string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	require.NoError(t, err)
	res, err := client.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return len(body)
}

func TestCountsRequestsAndBytes(t *testing.T) {
	t.Parallel()
	p := new(proxy.Proxy)
	url := serve(t, p, 10_000)
	transport := new(http.Transport)
	client := &http.Client{Transport: transport}
	for range 3 {
		require.Equal(t, 10_000, get(t, client, url))
	}
	transport.CloseIdleConnections()
	require.Eventually(t, func() bool { return p.Counts().Open == 0 }, 10*time.Second, time.Millisecond)
	counts := p.Counts()
	require.EqualValues(t, 3, counts.Requests)
	require.Greater(t, counts.Bytes, int64(30_000))
	require.Less(t, counts.Bytes, int64(32_000), "nothing but heads besides")
}

// A link is never faster than asked for; how much slower it is says nothing about it.
func TestIsNeverTooFast(t *testing.T) {
	t.Parallel()
	p := &proxy.Proxy{Delay: 20 * time.Millisecond, Rate: 4 << 20}
	url := serve(t, p, 2<<20)
	transport := new(http.Transport)
	t.Cleanup(transport.CloseIdleConnections)
	start := time.Now()
	require.Equal(t, 2<<20, get(t, &http.Client{Transport: transport}, url))
	// 40 ms of delay, and 500 ms for the bytes, of which the socket's first burst is free.
	require.Greater(t, time.Since(start), 300*time.Millisecond)
}

func TestMainAnswersAndEnds(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	require.NoError(t, proxy.Main(t.Context(), []string{"127.0.0.1:0=unix:/nowhere"}, strings.NewReader("\n"), &out))
	require.JSONEq(t, `{"Requests":0,"Bytes":0,"Open":0}`, out.String())
	require.Error(t, proxy.Main(t.Context(), []string{"nonsense"}, strings.NewReader(""), io.Discard))
}
