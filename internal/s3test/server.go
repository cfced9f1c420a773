package s3test

import (
	"context"
	"net"
	"net/http"
	"os/exec"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/spinup-llm/spinup/internal/testenv"
	"github.com/spinup-llm/spinup/internal/testserver"
	"github.com/spinup-llm/spinup/lifecycle"
)

// The keys of the server's only user. The secret has the characters that break URIs.
const (
	AccessKey = "AKIAS3TESTSERVER"
	SecretKey = "s3test/secret+key/canary" //nolint:gosec // of a server on loopback, for one test
	Region    = "us-east-1"
)

// A Server is a running server. It ends with the test, and with the test's process.
type Server struct {
	Endpoint  string // "http://127.0.0.1:PORT"
	AccessKey string
	SecretKey string
	Dir       string // of versitygw: objects lie in Dir/BUCKET/KEY

	client *s3.Client
	stop   func()

	mu      sync.Mutex
	buckets map[string]bool // those that were made here
}

// Start builds versitygw where needed and starts it on a free port. It skips tb like
// testenv.Real.
func Start(tb testing.TB) *Server {
	tb.Helper()
	path := testenv.Tool(tb, "s3server")
	return start(tb, "/health", func(ctx context.Context, addr, dir string) *exec.Cmd {
		return exec.CommandContext(ctx, path, //nolint:gosec // the test env built it
			"--port", addr, "--health", "/health", "--quiet",
			"--access", AccessKey, "--secret", SecretKey, "--region", Region, "posix", dir)
	})
}

// StartMinio is Start for MinIO, which tells the parts of an upload and words some errors
// differently.
func StartMinio(tb testing.TB) *Server {
	tb.Helper()
	path := testenv.Tool(tb, "minio")
	return start(tb, "/minio/health/live", func(ctx context.Context, addr, dir string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, path, "server", "--quiet", "--address", addr, dir) //nolint:gosec // see above
		cmd.Env = []string{"MINIO_ROOT_USER=" + AccessKey, "MINIO_ROOT_PASSWORD=" + SecretKey, "MINIO_BROWSER=off"}
		return cmd
	})
}

// Real are the servers that drivers have to get on with, by name.
func Real() map[string]func(testing.TB) *Server {
	return map[string]func(testing.TB) *Server{"versitygw": Start, "minio": StartMinio}
}

func start(tb testing.TB, health string, command func(ctx context.Context, addr, dir string) *exec.Cmd) *Server {
	tb.Helper()
	s := &Server{AccessKey: AccessKey, SecretKey: SecretKey, Dir: tb.TempDir(), buckets: map[string]bool{}}
	stop := testserver.Start(tb, func(ctx context.Context, addr *net.TCPAddr) (*exec.Cmd, string) {
		s.Endpoint = "http://" + addr.String()
		return command(ctx, addr.String(), s.Dir), health
	})
	transport := &http.Transport{MaxIdleConnsPerHost: 16}
	s.client = newClient(s, &http.Client{Transport: transport})
	s.stop = func() {
		transport.CloseIdleConnections()
		stop()
	}
	tb.Cleanup(s.Stop)
	return s
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
