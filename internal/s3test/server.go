package s3test

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

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/spinup-llm/spinup/internal/testenv"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

// The keys of the server's only user. The secret has the characters that break URIs.
const (
	AccessKey = "AKIAS3TESTSERVER"
	SecretKey = "s3test/secret+key/canary" //nolint:gosec // of a server on loopback, for one test
	Region    = "us-east-1"
)

// A Server is a running versitygw. It ends with the test, and with the test's process.
type Server struct {
	Endpoint  string // "http://127.0.0.1:PORT"
	AccessKey string
	SecretKey string
	Dir       string // objects lie in Dir/BUCKET/KEY

	client *s3.Client
	stop   func()

	mu      sync.Mutex
	buckets map[string]bool // those that were made here
}

// Start builds the server where needed and starts it on a free port. It skips t like
// testenv.Real.
func Start(tb testing.TB) *Server {
	tb.Helper()
	path := testenv.Tool(tb, "s3server")
	var err error
	for range 5 { // a port that was free may be taken before the server has it
		s := &Server{AccessKey: AccessKey, SecretKey: SecretKey, Dir: tb.TempDir(), buckets: map[string]bool{}}
		if err = s.start(tb, path); err == nil {
			tb.Cleanup(s.Stop)
			return s
		}
	}
	tb.Fatalf("s3test: %v", err)
	return nil
}

// Stop ends the server before the test does. It may be called again.
func (s *Server) Stop() { s.stop() }

// Env returns the variables that point a client at the server, with its keys.
func (s *Server) Env() lifecycle.EnvVars {
	return lifecycle.EnvVars{
		"AWS_ENDPOINT_URL":          s.Endpoint,
		"AWS_ACCESS_KEY_ID":         s.AccessKey,
		"AWS_SECRET_ACCESS_KEY":     s.SecretKey,
		"AWS_REGION":                Region,
		"AWS_EC2_METADATA_DISABLED": "true",
	}
}

func (s *Server) start(tb testing.TB, path string) error {
	tb.Helper()
	addr := freeAddr(tb)
	s.Endpoint = "http://" + addr
	ctx, cancel := context.WithCancel(context.WithoutCancel(tb.Context()))
	cmd := exec.CommandContext(ctx, path, //nolint:gosec // the test env built it
		"--port", addr, "--health", "/health", "--quiet",
		"--access", s.AccessKey, "--secret", s.SecretKey, "--region", Region, "posix", s.Dir)
	cmd.SysProcAttr = diesWithParent()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + s.Dir}
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
	s.client = newClient(s, &http.Client{Transport: transport})
	s.stop = func() {
		transport.CloseIdleConnections()
		cancel()
		<-exited
	}
	if err := s.healthy(ctx, exited); err != nil {
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
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Endpoint+"/health", http.NoBody)
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

func freeAddr(tb testing.TB) string {
	tb.Helper()
	l, err := new(net.ListenConfig).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	require.NoError(tb, err)
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}
