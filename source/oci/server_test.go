package oci_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/spinup-llm/spinup/internal/testenv"
	"github.com/spinup-llm/spinup/internal/testserver"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source/sourcetest"
	"github.com/stretchr/testify/require"
)

const (
	user     = "reader"
	password = "canary-password"
	// htpasswd is the bcrypt of it, cheap to check.
	htpasswd = user + ":" + "$2a$05$rjuTncK7vfHxdj4NvdvQUeioqEjkhu7ZYAGswcqH/bLgrjVkQniAS"
)

// start starts the registry of the distribution project over a folder of the test, and
// returns its HOST:PORT. It ends with the test.
func start(tb testing.TB, protected bool) (registry string) {
	tb.Helper()
	program := testenv.Tool(tb, "ociserver")
	testserver.Start(tb, func(ctx context.Context, addr *net.TCPAddr) (*exec.Cmd, string) {
		registry = addr.String()
		cmd := exec.CommandContext(ctx, program, "serve", configure(tb, registry, protected))
		cmd.Env = []string{"OTEL_TRACES_EXPORTER=none"}
		return cmd, "/"
	})
	return registry
}

// configure returns the file with the registry's configuration.
func configure(tb testing.TB, addr string, protected bool) string {
	tb.Helper()
	dir := tb.TempDir()
	config := fmt.Sprintf("version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nhttp: {addr: %q}\n"+
		"storage: {filesystem: {rootdirectory: %q}, delete: {enabled: true}}\n", addr, dir)
	if protected {
		file := filepath.Join(dir, "htpasswd")
		require.NoError(tb, os.WriteFile(file, []byte(htpasswd+"\n"), 0o600))
		config += fmt.Sprintf("auth: {htpasswd: {realm: test, path: %q}}\n", file)
	}
	file := filepath.Join(dir, "config.yml")
	require.NoError(tb, os.WriteFile(file, []byte(config), 0o600))
	return file
}

func TestServer(t *testing.T) {
	t.Parallel()
	sourcetest.Run(t, harness(start(t, false)))
}

// A registry with a password: each place where it may be, and what is said without.
func TestServerCredentials(t *testing.T) {
	t.Parallel()
	addr := start(t, true)
	push(t, addr, user, password, "org/llama", "v1", files{"config.json": []byte("{}")})
	home, run := t.TempDir(), t.TempDir()
	auths := dockerConfig(addr, user, password)
	for _, path := range []string{filepath.Join(home, ".docker", "config.json"), filepath.Join(run, "containers", "auth.json")} {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(auths), 0o600))
	}
	uri := "oci://" + addr + "/org/llama:v1"
	for name, env := range map[string]lifecycle.EnvVars{
		"text": {"DOCKER_AUTH_CONFIG": auths},
		"home": {"HOME": home},
		"dir":  {"DOCKER_CONFIG": filepath.Join(home, ".docker"), "HOME": "/nowhere"},
		"file": {"REGISTRY_AUTH_FILE": filepath.Join(home, ".docker", "config.json")},
		"run":  {"XDG_RUNTIME_DIR": run, "DOCKER_AUTH_CONFIG": dockerConfig("other.example", "x", "y")},
	} {
		src := open(t, uri, env)
		m, err := src.Resolve(t.Context())
		require.NoError(t, err, name)
		require.Equal(t, "{}", readAll(t, src, m.Files[0]))
		require.NotContains(t, dump(src), password)
	}
	for name, c := range map[string]struct {
		uri  string
		env  lifecycle.EnvVars
		hint string
	}{
		"none":      {uri, nil, "looked in this order: DOCKER_AUTH_CONFIG (none), REGISTRY_AUTH_FILE (none)"},
		"wrong":     {uri, lifecycle.EnvVars{"DOCKER_AUTH_CONFIG": dockerConfig(addr, user, "canary-wrong")}, "does not accept these credentials"},
		"broken":    {uri, lifecycle.EnvVars{"DOCKER_AUTH_CONFIG": "{canary"}, "DOCKER_AUTH_CONFIG (failed)"},
		"anonymous": {"oci://anonymous@" + addr + "/org/llama:v1", lifecycle.EnvVars{"DOCKER_AUTH_CONFIG": auths}, "anonymous@"},
	} {
		_, err := open(t, c.uri, c.env).Resolve(t.Context())
		require.ErrorIs(t, err, lifecycle.Unauthenticated, name)
		require.ErrorContains(t, err, c.hint, name)
		require.NotContains(t, dump(err), "canary", name)
	}
}

// Pinned and tagged are the same files, and what is near is told.
func TestServerReferences(t *testing.T) {
	t.Parallel()
	addr := start(t, false)
	push(t, addr, "", "", "org/llama", "v1", files{"config.json": []byte("{}")})
	m, err := open(t, "oci://"+addr+"/org/llama:v1", nil).Resolve(t.Context())
	require.NoError(t, err)
	pinned, err := open(t, "oci://"+addr+"/org/llama@"+m.Revision, nil).Resolve(t.Context())
	require.NoError(t, err)
	require.Equal(t, m.Files, pinned.Files)
	require.Equal(t, m.Revision, pinned.Revision)
	for uri, hint := range map[string]string{
		"/org/llama:v2": `did you mean "v1"?`,
		"/org/llama":    `"v1"`,
		"/org/lama:v1":  `did you mean "org/llama"?`,
	} {
		_, err := open(t, "oci://"+addr+uri, nil).Resolve(t.Context())
		require.ErrorIs(t, err, lifecycle.NotFound, uri)
		require.ErrorContains(t, err, hint)
	}
}
