package azure_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/source/azure"
	"github.com/stretchr/testify/require"
)

// A cloud plays the account and the service of tokens, over a client of the test, because
// tokens are sent over TLS alone.
type cloud struct {
	fake   *fake
	refuse atomic.Bool
	status atomic.Int32 // of the service of tokens; below 0 nobody is there
	asked  atomic.Int32
	form   atomic.Pointer[string] // of the last request for a token
}

func (c *cloud) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	switch status := int(c.status.Load()); {
	case r.URL.Host != account+".blob.core.windows.net" && status < 0:
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	case r.URL.Host != account+".blob.core.windows.net" && status > 0:
		w.WriteHeader(status)
	case r.URL.Host == account+".blob.core.windows.net":
		if r.Header.Get("Authorization") != "Bearer the-token" {
			fail(w, http.StatusUnauthorized, "InvalidAuthenticationInfo", "who are you")
			break
		}
		r = r.Clone(r.Context())
		r.URL.Path, r.URL.RawPath = "/"+account+r.URL.Path, ""
		c.fake.ServeHTTP(w, r)
	case r.URL.Host == "login.example" && strings.HasSuffix(r.URL.Path, "/token"):
		data, _ := io.ReadAll(r.Body)
		text := string(data)
		c.form.Store(&text)
		c.asked.Add(1)
		w.Header().Set("Content-Type", "application/json")
		if c.refuse.Load() {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided. canary"}`)
			break
		}
		_, _ = io.WriteString(w, `{"access_token":"the-token","token_type":"Bearer","expires_in":3600}`)
	case r.URL.Host == "login.example" || strings.Contains(r.URL.Host, "login.microsoft"):
		w.Header().Set("Content-Type", "application/json")
		const at = "https://login.example/tenant"
		_, _ = io.WriteString(w, `{"tenant_discovery_endpoint":"`+at+`/.well-known","issuer":"`+at+`","authorization_endpoint":"`+at+`/authorize","token_endpoint":"`+at+`/token"}`)
	default:
		return nil, errors.New("nothing answers at " + r.URL.Host)
	}
	res := w.Result()
	res.Request = r
	return res, nil
}

func (c *cloud) open(t *testing.T, env lifecycle.EnvVars) source.Source {
	t.Helper()
	mux := source.Mux{HTTP: &http.Client{Transport: c}}
	mux.Handle("az", hermetic(with(env, "AZURE_AUTHORITY_HOST", "https://login.example/")))
	src, err := mux.Open(t.Context(), "az://models/llama")
	require.NoError(t, err)
	return src
}

func newCloud(t *testing.T) *cloud {
	t.Helper()
	f := newFake(t)
	f.put(t, "models", "llama/config.json", []byte("{}"))
	return &cloud{fake: f}
}

var application = lifecycle.EnvVars{
	"AZURE_STORAGE_ACCOUNT_NAME": account, "AZURE_TENANT_ID": "tenant",
	"AZURE_CLIENT_ID": "11111111-2222-3333-4444-555555555555", "AZURE_CLIENT_SECRET": "canary-secret",
}

func TestApplication(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	src := c.open(t, application)
	m, err := src.Resolve(t.Context())
	require.NoError(t, err)
	require.Equal(t, "{}", readAll(t, src, m.Files[0]))
	require.EqualValues(t, 1, c.asked.Load(), "a token is kept")
	require.Contains(t, *c.form.Load(), "canary-secret")
	require.NotContains(t, dump(src), "canary")

	c.refuse.Store(true)
	_, err = c.open(t, with(application, "AZURE_CLIENT_ID", "99999999-2222-3333-4444-555555555555")).Resolve(t.Context())
	require.ErrorIs(t, err, lifecycle.Unauthenticated)
	require.ErrorContains(t, err, "AADSTS7000215: Invalid client secret provided")
	require.ErrorContains(t, err, "AZURE_STORAGE_SAS_TOKEN (not set), EnvironmentCredential (failed)")
	require.NotContains(t, dump(err), "canary")
}

func TestWorkload(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	file := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(file, []byte("canary-assertion"), 0o600))
	env := with(application, "AZURE_CLIENT_SECRET", "")
	m, err := c.open(t, with(env, "AZURE_FEDERATED_TOKEN_FILE", file)).Resolve(t.Context())
	require.NoError(t, err)
	require.Len(t, m.Files, 1)
	require.Contains(t, *c.form.Load(), "canary-assertion")
}

// A service of tokens that is named and does not answer is away: that passes.
func TestTokenServiceAway(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(file, []byte("canary-assertion"), 0o600))
	workload := with(with(application, "AZURE_CLIENT_SECRET", ""), "AZURE_FEDERATED_TOKEN_FILE", file)
	machine := lifecycle.EnvVars{"AZURE_STORAGE_ACCOUNT_NAME": account, "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential"}
	for name, c := range map[string]struct {
		env    lifecycle.EnvVars
		status int32
		kind   lifecycle.Kind
		want   string
	}{
		"application":   {application, -1, lifecycle.Unavailable, "no token from EnvironmentCredential: there was no answer"},
		"busy":          {application, http.StatusServiceUnavailable, lifecycle.Unavailable, "answered 503"},
		"workload":      {workload, -1, lifecycle.Unavailable, "no token from WorkloadIdentityCredential"},
		"no file":       {with(workload, "AZURE_FEDERATED_TOKEN_FILE", file+"2"), -1, lifecycle.Unauthenticated, "no such file"},
		"machine":       {machine, -1, lifecycle.Unavailable, "no token from ManagedIdentityCredential"},
		"any, busy":     {with(machine, "AZURE_TOKEN_CREDENTIALS", "prod"), http.StatusServiceUnavailable, lifecycle.Unavailable, "answered 503"},
		"any, not here": {with(machine, "AZURE_TOKEN_CREDENTIALS", "prod"), -1, lifecycle.Unauthenticated, "there are no credentials"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud := newCloud(t)
			cloud.status.Store(c.status)
			_, err := cloud.open(t, c.env).Resolve(t.Context())
			require.ErrorIs(t, err, c.kind)
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, dump(err), "canary")
		})
	}
}

// Without credentials, an error says where they were looked for.
func TestNoCredentials(t *testing.T) {
	t.Parallel()
	env := lifecycle.EnvVars{"AZURE_STORAGE_ACCOUNT_NAME": account, "AZURE_TOKEN_CREDENTIALS": "WorkloadIdentityCredential"}
	_, err := newCloud(t).open(t, env).Resolve(t.Context())
	require.ErrorIs(t, err, lifecycle.Unauthenticated)
	for _, place := range []string{
		"AZURE_STORAGE_CONNECTION_STRING (not set)", "EnvironmentCredential (AZURE_TENANT_ID is not set)",
		"WorkloadIdentityCredential (AZURE_FEDERATED_TOKEN_FILE is not set)",
		"ManagedIdentityCredential (AZURE_TOKEN_CREDENTIALS leaves it out)",
	} {
		require.ErrorContains(t, err, place)
	}
	_, err = tryOpen(t, "az://models/llama", with(env, "AZURE_STORAGE_ENDPOINT", "http://127.0.0.1:1/"+account))
	require.ErrorContains(t, err, "tokens are not sent over http")
	require.Contains(t, azure.Schemes, "az")
}
