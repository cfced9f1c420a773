package s3_test

import (
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/spinup-llm/spinup/internal/s3test"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
)

// tunnel is a proxy that takes every CONNECT to one server, and notes where it should have
// gone.
func tunnel(tb testing.TB, server string) (url string, asked *atomic.Value) {
	tb.Helper()
	asked = new(atomic.Value)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		asked.Store(r.Host)
		there, err := new(net.Dialer).DialContext(r.Context(), "tcp", server)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		here, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		_, _ = io.WriteString(here, "HTTP/1.1 200 OK\r\n\r\n")
		go func() {
			_, _ = io.Copy(there, here)
			_ = there.Close()
		}()
		_, _ = io.Copy(here, there)
		_ = here.Close()
	}))
	tb.Cleanup(srv.Close)
	return srv.URL, asked
}

// The proxies of env_vars are those of this model.
func TestProxies(t *testing.T) {
	t.Parallel()
	const size = 1 << 20
	fake := s3test.NewFake(t)
	fake.Put("models", "llama/a", make([]byte, size))

	env := fake.Env()
	env["HTTP_PROXY"], env["AWS_ENDPOINT_URL"] = fake.Endpoint, "http://s3.example.com"
	src := open(t, "s3://models/llama", env)
	m, err := src.Resolve(t.Context())
	require.NoError(t, err)
	require.Len(t, readLarge(t, src, m.Files[0]), size)
	env["NO_PROXY"] = "example.com,.example.com"
	env["AWS_ENDPOINT_URL"] = "http://s3.example.com:1"
	_, err = open(t, "s3://models/llama", env).Resolve(t.Context())
	require.ErrorIs(t, err, lifecycle.Unavailable)

	srv := httptest.NewTLSServer(fake)
	t.Cleanup(srv.Close)
	bundle := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	require.NoError(t, os.WriteFile(bundle, block, 0o600))
	proxy, asked := tunnel(t, srv.Listener.Addr().String())
	env = fake.Env()
	env["https_proxy"], env["AWS_CA_BUNDLE"], env["AWS_ENDPOINT_URL"] = proxy, bundle, "https://example.com"
	src = open(t, "s3://models/llama", env)
	m, err = src.Resolve(t.Context())
	require.NoError(t, err)
	require.Equal(t, "example.com:443", asked.Load())
	require.Len(t, readLarge(t, src, m.Files[0]), size)
}

func readLarge(tb testing.TB, src source.Source, f source.File) []byte {
	tb.Helper()
	body, err := src.Open(tb.Context(), f, 0, -1)
	require.NoError(tb, err)
	defer body.Close()
	data := make([]byte, f.Size)
	_, err = io.ReadFull(body, data)
	require.NoError(tb, err)
	_, err = body.Read(make([]byte, 1))
	require.ErrorIs(tb, err, io.EOF)
	return data
}
