package azure_test

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"
	"github.com/spinup-llm/spinup/internal/testenv"
	"github.com/spinup-llm/spinup/internal/testserver"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source/sourcetest"
	"github.com/stretchr/testify/require"
)

const (
	account = "spinuptest"
	key     = "c3BpbnVwL2NhbmFyeStrZXk9PT1zcGludXAvY2FuYXJ5K2tleT09" // base64 that breaks URIs
)

// A server is a running Azurite, which ends with the test.
type server struct {
	endpoint string
	client   *service.Client
}

func start(tb testing.TB) *server {
	tb.Helper()
	program := testenv.Azurite(tb)
	s := new(server)
	testserver.Start(tb, func(ctx context.Context, addr *net.TCPAddr) (*exec.Cmd, string) {
		s.endpoint = fmt.Sprintf("http://%s/%s", addr, account)
		cmd := exec.CommandContext(ctx, program, "--blobHost", "127.0.0.1", "--blobPort", fmt.Sprint(addr.Port),
			"--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry", "--silent")
		cmd.Dir = tb.TempDir()
		cmd.Env = []string{"AZURITE_ACCOUNTS=" + account + ":" + key}
		return cmd, "/" + account
	})
	shared, err := service.NewSharedKeyCredential(account, key)
	require.NoError(tb, err)
	s.client, err = service.NewClientWithSharedKeyCredential(s.endpoint, shared, nil)
	require.NoError(tb, err)
	return s
}

func (s *server) put(tb testing.TB, in, name string, data []byte) {
	tb.Helper()
	c := s.client.NewContainerClient(in)
	if _, err := c.Create(tb.Context(), nil); !bloberror.HasCode(err, bloberror.ContainerAlreadyExists) {
		require.NoError(tb, err)
	}
	_, err := c.NewBlockBlobClient(name).UploadBuffer(tb.Context(), data, nil)
	require.NoError(tb, err)
}

func (s *server) remove(tb testing.TB, in, name string) {
	tb.Helper()
	_, err := s.client.NewContainerClient(in).NewBlobClient(name).Delete(tb.Context(), nil)
	require.NoError(tb, err)
}

func (s *server) Env() lifecycle.EnvVars {
	return lifecycle.EnvVars{
		"AZURE_STORAGE_ENDPOINT": s.endpoint, "AZURE_STORAGE_ACCOUNT_NAME": account, "AZURE_STORAGE_ACCOUNT_KEY": key,
	}
}

// sas signs reading of a container until a time.
func (s *server) sas(tb testing.TB, in string, p sas.ContainerPermissions, until time.Time) string {
	tb.Helper()
	u, err := s.client.NewContainerClient(in).GetSASURL(p, until, nil)
	require.NoError(tb, err)
	_, query, _ := strings.Cut(u, "?")
	return query
}

func TestServer(t *testing.T) {
	t.Parallel()
	srv := start(t)
	t.Run("Conformance", func(t *testing.T) {
		t.Parallel()
		h := harness(srv)
		h.Many = 5010 // a page has 5000
		sourcetest.Run(t, h)
	})
	t.Run("Credentials", func(t *testing.T) {
		t.Parallel()
		testCredentials(t, srv)
	})
	t.Run("Errors", func(t *testing.T) {
		t.Parallel()
		testErrors(t, srv)
	})
	t.Run("Blob", func(t *testing.T) {
		t.Parallel()
		testBlob(t, srv)
	})
}

// Each way to show who reads, with the real protocol.
func testCredentials(t *testing.T, srv *server) {
	t.Helper()
	srv.put(t, "models", "llama/config.json", []byte("{}"))
	srv.put(t, "public", "llama/config.json", []byte("{}"))
	access := container.PublicAccessTypeContainer
	_, err := srv.client.NewContainerClient("public").SetAccessPolicy(t.Context(), &container.SetAccessPolicyOptions{Access: &access})
	require.NoError(t, err)
	in := time.Now().Add(time.Hour)
	token := srv.sas(t, "models", sas.ContainerPermissions{Read: true, List: true}, in)
	at := lifecycle.EnvVars{"AZURE_STORAGE_ENDPOINT": srv.endpoint, "AZURE_STORAGE_ACCOUNT_NAME": account}
	connection := "DefaultEndpointsProtocol=http;AccountName=" + account + ";BlobEndpoint=" + srv.endpoint
	for name, c := range map[string]struct {
		uri string
		env lifecycle.EnvVars
	}{
		"key":            {"az://models/llama", with(at, "AZURE_STORAGE_KEY", key)},
		"sas":            {"az://models/llama", with(at, "AZURE_STORAGE_SAS_TOKEN", "?"+token)},
		"connection":     {"az://models/llama", lifecycle.EnvVars{"AZURE_STORAGE_CONNECTION_STRING": connection + ";AccountKey=" + key + ";"}},
		"connection sas": {"az://models/llama", lifecycle.EnvVars{"AZURE_STORAGE_CONNECTION_STRING": connection + ";SharedAccessSignature=" + token}},
		"long form":      {"abfss://models@" + account + ".dfs.core.windows.net/llama", with(at, "AZURE_STORAGE_KEY", key)},
		"blob form":      {"azure://models@" + account + ".blob.core.windows.net/llama/", with(at, "AZURE_STORAGE_KEY", key)},
		"anonymous":      {"azure://anonymous@public/llama", at},
		"anonymous env":  {"abfss://public@" + account + ".dfs.core.windows.net/llama", with(at, "AZURE_STORAGE_ANON", "true")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			src := open(t, c.uri, c.env)
			m, err := src.Resolve(t.Context())
			require.NoError(t, err)
			require.Contains(t, m.URI, "@"+account+".dfs.core.windows.net/llama")
			require.Equal(t, "md5", m.Files[0].Digest.Algorithm)
			require.Equal(t, "{}", readAll(t, src, m.Files[0]))
			require.NotContains(t, dump(src), key)
			require.NotContains(t, dump(src), "sig=")
		})
	}
}

// What goes wrong with a real server has its kind and its hint.
func testErrors(t *testing.T, srv *server) {
	t.Helper()
	srv.put(t, "errors", "llama/config.json", []byte("{}"))
	srv.put(t, "errors", "llama-13b/config.json", []byte("{}"))
	at := lifecycle.EnvVars{"AZURE_STORAGE_ENDPOINT": srv.endpoint, "AZURE_STORAGE_ACCOUNT_NAME": account}
	old := srv.sas(t, "errors", sas.ContainerPermissions{Read: true, List: true}, time.Now().Add(-time.Hour))
	blind := srv.sas(t, "errors", sas.ContainerPermissions{Read: true}, time.Now().Add(time.Hour))
	wrong := "d3JvbmcvY2FuYXJ5K3dyb25nL2NhbmFyeSt3cm9uZw=="
	for name, c := range map[string]struct {
		uri        string
		variable   string
		value      string
		kind       lifecycle.Kind
		hint, leak string
	}{
		"container": {"az://error/llama", "AZURE_STORAGE_KEY", key, lifecycle.NotFound, `did you mean "errors"?`, key},
		"prefix":    {"az://errors/lama", "AZURE_STORAGE_KEY", key, lifecycle.NotFound, `in az://errors did you mean "llama"?`, key},
		"blob":      {"az://errors/llama/confg.json", "AZURE_STORAGE_KEY", key, lifecycle.NotFound, `did you mean "config.json"?`, key},
		"key":       {"az://errors/llama", "AZURE_STORAGE_KEY", wrong, lifecycle.Unauthenticated, "check AZURE_STORAGE_ACCOUNT_KEY", wrong},
		"old sas":   {"az://errors/llama", "AZURE_STORAGE_SAS_TOKEN", old, lifecycle.Unauthenticated, "the SAS is expired", old},
		"sas":       {"az://errors/llama", "AZURE_STORAGE_SAS_TOKEN", blind, lifecycle.AccessDenied, `has the permissions r and l`, blind},
		"anonymous": {"azure://anonymous@errors/llama", "X", "canary", lifecycle.AccessDenied, "not public", "canary"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := open(t, c.uri, with(at, c.variable, c.value)).Resolve(t.Context())
			require.ErrorIs(t, err, c.kind)
			require.ErrorContains(t, err, c.hint)
			require.NotContains(t, dump(err), c.leak)
			require.NotContains(t, dump(err), "sig=")
		})
	}
}

// One blob is a manifest of one file.
func testBlob(t *testing.T, srv *server) {
	t.Helper()
	srv.put(t, "single", "llama/config.json", []byte("{}"))
	src := open(t, "az://single/llama/config.json", srv.Env())
	m, err := src.Resolve(t.Context())
	require.NoError(t, err)
	require.Equal(t, "config.json", m.Files[0].Path)
	fresh := open(t, "az://single/llama/config.json", srv.Env())
	require.Equal(t, "{}", readAll(t, fresh, m.Files[0]), "also by a source that has not resolved")
}
