package gcstest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/storage"
	"github.com/spinup-llm/spinup/internal/testenv"
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

// Start builds the server where needed and starts it on a free port. It skips t like
// testenv.Real.
func Start(tb testing.TB) *Server {
	tb.Helper()
	path := testenv.Tool(tb, "gcsserver")
	var err error
	for range 5 { // a port that was free may be taken before the server has it
		s := &Server{buckets: map[string]bool{}}
		if err = s.start(tb, path); err == nil {
			tb.Cleanup(s.Stop)
			return s
		}
	}
	tb.Fatalf("gcstest: %v", err)
	return nil
}

// Stop ends the server before the test does. It may be called again.
func (s *Server) Stop() { s.stop() }

// Env returns the variables that point a client at the server.
func (s *Server) Env() lifecycle.EnvVars { return emulator(s.Endpoint) }

func (s *Server) start(tb testing.TB, path string) error {
	tb.Helper()
	port := freePort(tb)
	s.Endpoint = fmt.Sprintf("http://127.0.0.1:%d", port)
	ctx, cancel := context.WithCancel(context.WithoutCancel(tb.Context()))
	cmd := exec.CommandContext(ctx, path, //nolint:gosec // the test env built it
		"-scheme", "http", "-host", "127.0.0.1", "-port", fmt.Sprint(port), "-backend", "memory",
		"-external-url", s.Endpoint, "-public-host", fmt.Sprintf("127.0.0.1:%d", port), "-log-level", "error")
	cmd.SysProcAttr = diesWithParent()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + tb.TempDir()}
	if err := cmd.Start(); err != nil {
		cancel()
		return err
	}
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait() // the server is killed in the end
		close(exited)
	}()
	transport := &http.Transport{MaxIdleConnsPerHost: 16}
	s.stop = func() {
		transport.CloseIdleConnections()
		cancel()
		<-exited
	}
	err := s.healthy(ctx, exited)
	if err == nil {
		s.client, err = newClient(ctx, s.Endpoint, transport)
	}
	if err != nil {
		s.stop()
		return fmt.Errorf("%w\n%s", err, out.String())
	}
	return nil
}

// healthy waits until the server answers.
func (s *Server) healthy(ctx context.Context, exited <-chan struct{}) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	limit := time.NewTimer(30 * time.Second)
	defer limit.Stop()
	for {
		select {
		case <-exited:
			return errors.New("the server exited")
		case <-limit.C:
			return errors.New("the server did not answer in 30 s")
		case <-tick.C:
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Endpoint+"/_internal/healthcheck", http.NoBody)
		if err != nil {
			return err
		}
		transport := &http.Transport{DisableKeepAlives: true}
		if res, err := transport.RoundTrip(req); err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
	}
}

func freePort(tb testing.TB) int {
	tb.Helper()
	l, err := new(net.ListenConfig).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	require.NoError(tb, err)
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}
