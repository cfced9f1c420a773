package gcstest

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"sync"
	"testing"

	"cloud.google.com/go/storage"
	"github.com/spinup-llm/spinup/internal/testenv"
	"github.com/spinup-llm/spinup/internal/testserver"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

// Project is the one that buckets belong to.
const Project = "spinup-test"

// A Server is a running fake-gcs-server. It checks no credentials. It ends with the test,
// and with the test's process.
type Server struct {
	Endpoint string // "http://127.0.0.1:PORT"

	client *storage.Client
	stop   func()

	mu      sync.Mutex
	buckets map[string]bool // those that were made here
}

// Start builds the server where needed and starts it on a free port. It skips tb like
// testenv.Real.
func Start(tb testing.TB) *Server {
	tb.Helper()
	path := testenv.Tool(tb, "gcsserver")
	s := &Server{buckets: map[string]bool{}}
	stop := testserver.Start(tb, func(ctx context.Context, addr *net.TCPAddr) (*exec.Cmd, string) {
		s.Endpoint = "http://" + addr.String()
		return exec.CommandContext(ctx, path, //nolint:gosec // the test env built it
			"-scheme", "http", "-host", "127.0.0.1", "-port", fmt.Sprint(addr.Port), "-backend", "memory",
			"-external-url", s.Endpoint, "-public-host", addr.String(), "-log-level", "error"), "/_internal/healthcheck"
	})
	transport := &http.Transport{MaxIdleConnsPerHost: 16}
	s.stop = func() {
		transport.CloseIdleConnections()
		stop()
	}
	tb.Cleanup(s.Stop)
	var err error
	s.client, err = newClient(tb.Context(), s.Endpoint, transport)
	require.NoError(tb, err)
	return s
}

// Stop ends the server before the test does. It may be called again.
func (s *Server) Stop() { s.stop() }

// Env returns the variables that point a client at the server.
func (s *Server) Env() lifecycle.EnvVars { return emulator(s.Endpoint) }
