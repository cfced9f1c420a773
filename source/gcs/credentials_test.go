package gcs_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/spinup-llm/spinup/internal/gcstest"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/source/gcs"
	"github.com/stretchr/testify/require"
)

const canary = "ya29.canary-of-a-token"

var privateKey = sync.OnceValue(func() string {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
})

func writeJSON(tb testing.TB, v any) string {
	tb.Helper()
	data, err := json.Marshal(v)
	require.NoError(tb, err)
	path := filepath.Join(tb.TempDir(), "application_default_credentials.json")
	require.NoError(tb, os.WriteFile(path, data, 0o600))
	return path
}

func serviceAccount(tb testing.TB, tokens string) string {
	tb.Helper()
	return writeJSON(tb, map[string]string{
		"type": "service_account", "project_id": "models-project", "private_key_id": "1", "private_key": privateKey(),
		"client_email": "reader@models-project.iam.gserviceaccount.com", "token_uri": tokens,
	})
}

// user is what gcloud writes. The token comes from Google's own address, see split.
func user(tb testing.TB) string {
	tb.Helper()
	return writeJSON(tb, map[string]string{
		"type": "authorized_user", "client_id": "id", "client_secret": "secret-canary", "refresh_token": "refresh-canary",
		"quota_project_id": "payer",
	})
}

// tokenService gives one token to whoever asks, and serves the metadata of a machine too.
func tokenService(tb testing.TB, status int, body string) string {
	tb.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && r.Header.Get("Metadata-Flavor") != "Google" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	tb.Cleanup(srv.Close)
	return srv.URL
}

const granted = `{"access_token":"` + canary + `","expires_in":3600,"token_type":"Bearer"}`

// google returns a source of gs://models/llama at Google's own address, which the fake answers.
// Requests to other hosts go where they say.
func google(tb testing.TB, fake *gcstest.Fake, env lifecycle.EnvVars) source.Source {
	tb.Helper()
	return openWith(tb, "gs://models/llama", env, &http.Client{Transport: split{fake}})
}

type split struct{ fake *gcstest.Fake }

func (s split) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host == "storage.googleapis.com" && r.URL.Scheme == "https" {
		return s.fake.Client().Transport.RoundTrip(r)
	}
	if r.URL.Host == "oauth2.googleapis.com" {
		return &http.Response{
			StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}},
			Body: io.NopCloser(strings.NewReader(granted)), Request: r,
		}, nil
	}
	transport := &http.Transport{DisableKeepAlives: true}
	return transport.RoundTrip(r)
}

// The first place that has credentials is used, and everything before it is remembered.
func TestCredentials(t *testing.T) {
	t.Parallel()
	tokens := tokenService(t, http.StatusOK, granted)
	for name, env := range map[string]lifecycle.EnvVars{
		"service account": {"GOOGLE_APPLICATION_CREDENTIALS": serviceAccount(t, tokens)},
		"metadata":        {"GCE_METADATA_HOST": tokens[len("http://"):]},
		"gcloud's file":   {"CLOUDSDK_CONFIG": filepath.Dir(serviceAccount(t, tokens))},
		"user":            {"GOOGLE_APPLICATION_CREDENTIALS": user(t)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := gcstest.NewFake(t)
			fake.Put("models", "llama/a", []byte("data"))
			src := google(t, fake, env)
			m, err := src.Resolve(t.Context())
			require.NoError(t, err)
			require.Equal(t, "data", readAll(t, src, m.Files[0]))
			for _, r := range fake.Requests() {
				require.Equal(t, "Bearer "+canary, r.Header.Get("Authorization"))
				payer := map[bool]string{true: "payer"}[name == "user"]
				require.Equal(t, payer, r.Header.Get("X-Goog-User-Project"))
			}
			require.NotContains(t, dump(src), "canary")
		})
	}
}

func TestNoCredentials(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := google(t, gcstest.NewFake(t), lifecycle.EnvVars{"NO_GCE_CHECK": "true", "HOME": dir}).Resolve(t.Context())
	require.ErrorIs(t, err, lifecycle.Unauthenticated)
	require.ErrorContains(t, err, "there are no credentials")
	require.ErrorContains(t, err, "tried in this order: GOOGLE_APPLICATION_CREDENTIALS (not set), "+
		filepath.Join(dir, ".config", "gcloud", "application_default_credentials.json")+" (none), "+
		"the metadata server of Google's machines (NO_GCE_CHECK)")
	require.ErrorContains(t, err, "gs://anonymous@BUCKET/PREFIX")
}

func TestBadCredentials(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	broken := filepath.Join(dir, "broken.json")
	require.NoError(t, os.WriteFile(broken, []byte("canary, no JSON"), 0o600))
	refused := tokenService(t, http.StatusBadRequest, `{"error":"invalid_grant","error_description":"Invalid JWT Signature."}`)
	for name, c := range map[string]struct {
		file string
		kind lifecycle.Kind
		want string
	}{
		"gone":     {filepath.Join(dir, "gone.json"), lifecycle.Unauthenticated, "no such file"},
		"broken":   {broken, lifecycle.Unauthenticated, "not JSON"},
		"no type":  {writeJSON(t, map[string]string{}), lifecycle.Unauthenticated, `no "type"`},
		"new type": {writeJSON(t, map[string]string{"type": "new"}), lifecycle.Unauthenticated, "unsupported"},
		"refused":  {serviceAccount(t, refused), lifecycle.Unauthenticated, "400: invalid_grant: Invalid JWT Signature."},
		"down":     {serviceAccount(t, tokenService(t, http.StatusInternalServerError, "canary")), lifecycle.Unavailable, "answered 500"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := gcstest.NewFake(t)
			_, err := google(t, fake, lifecycle.EnvVars{"GOOGLE_APPLICATION_CREDENTIALS": c.file}).Resolve(t.Context())
			require.ErrorIs(t, err, c.kind)
			require.ErrorContains(t, err, "no credentials from GOOGLE_APPLICATION_CREDENTIALS: ")
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, dump(err), "canary")
			require.NotContains(t, dump(err), "PRIVATE KEY")
			require.Empty(t, fake.Requests(), "without a token nothing is asked")
		})
	}
}

// A metadata server that has to be there, or gave tokens before, and fails is away: that passes.
func TestMetadataAway(t *testing.T) {
	t.Parallel()
	var status atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(int(status.Load()))
		_, _ = io.WriteString(w, `{"access_token":"`+canary+`","expires_in":1}`) // to be renewed by each request
	}))
	t.Cleanup(server.Close)
	fake := gcstest.NewFake(t)
	fake.Put("models", "llama/a", []byte("data"))
	src := google(t, fake, lifecycle.EnvVars{"GCE_METADATA_HOST": server.Listener.Addr().String()})
	for _, c := range []struct {
		status int32
		kind   lifecycle.Kind
	}{
		{http.StatusNotFound, lifecycle.Unauthenticated}, // the machine has no service account
		{http.StatusServiceUnavailable, lifecycle.Unavailable},
		{http.StatusTooManyRequests, lifecycle.Unavailable},
	} {
		status.Store(c.status)
		_, err := src.Resolve(t.Context())
		require.ErrorIs(t, err, c.kind)
	}
	status.Store(http.StatusOK)
	m, err := src.Resolve(t.Context())
	require.NoError(t, err)
	status.Store(http.StatusServiceUnavailable)
	_, err = src.Open(t.Context(), m.Files[0], 0, -1)
	require.ErrorIs(t, err, lifecycle.Unavailable)
	require.ErrorContains(t, err, "the metadata server answered 503")
	server.Close()
	_, err = src.Open(t.Context(), m.Files[0], 0, -1)
	require.ErrorIs(t, err, lifecycle.Unavailable)
}

// The metadata server of a new pod refuses for some seconds: it is asked again.
func TestMetadataStarts(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, granted)
	}))
	t.Cleanup(server.Close)
	fake := gcstest.NewFake(t)
	fake.Put("models", "llama/a", nil)
	_, err := google(t, fake, lifecycle.EnvVars{"GCE_METADATA_HOST": server.Listener.Addr().String()}).Resolve(t.Context())
	require.NoError(t, err)

	_, err = google(t, fake, lifecycle.EnvVars{"GCE_METADATA_HOST": "127.0.0.1:1"}).Resolve(t.Context())
	require.ErrorIs(t, err, lifecycle.Unavailable)
}

// Elsewhere nobody answers at that address, which is looked at once.
func TestNoMetadata(t *testing.T) {
	t.Parallel()
	nobody := &refusing{}
	_, err := openWith(t, "gs://models/llama", lifecycle.EnvVars{"HOME": t.TempDir()}, &http.Client{Transport: nobody}).Resolve(t.Context())
	if product, _ := os.ReadFile("/sys/class/dmi/id/product_name"); strings.HasPrefix(string(product), "Google") {
		require.ErrorIs(t, err, lifecycle.Unavailable, "on Google's machines somebody has to be there")
		return
	}
	require.ErrorIs(t, err, lifecycle.Unauthenticated)
	require.ErrorContains(t, err, "there are no credentials")
	require.EqualValues(t, 1, nobody.asked.Load())
}

// refusing is a network in which nobody is.
type refusing struct{ asked atomic.Int32 }

func (r *refusing) RoundTrip(*http.Request) (*http.Response, error) {
	r.asked.Add(1)
	return nil, syscall.ECONNREFUSED
}

// What the service says about a token names where that came from, and never repeats it.
func TestTokenRefused(t *testing.T) {
	t.Parallel()
	for status, c := range map[int]struct {
		kind lifecycle.Kind
		hint string
	}{
		http.StatusUnauthorized: {lifecycle.Unauthenticated, "looked for in this order: GOOGLE_APPLICATION_CREDENTIALS (used)"},
		http.StatusForbidden: {
			lifecycle.AccessDenied,
			"grant storage.objects.list on gs://models (the role Storage Object Viewer has it) " +
				"to the owner of the credentials, which came from GOOGLE_APPLICATION_CREDENTIALS",
		},
	} {
		fake := answering(t, lists, func(w http.ResponseWriter, r *http.Request) {
			gcstest.Fail(w, status, "authError", "echo "+r.Header.Get("Authorization"))
		})
		env := lifecycle.EnvVars{"GOOGLE_APPLICATION_CREDENTIALS": serviceAccount(t, tokenService(t, http.StatusOK, granted))}
		src := google(t, fake, env)
		_, err := src.Resolve(t.Context())
		require.ErrorIs(t, err, c.kind)
		require.ErrorContains(t, err, c.hint)
		inside := struct{ src source.Source }{src} // where fmt cannot call String
		for _, text := range []string{err.Error(), dump(err), dump(src), dump(inside)} {
			require.NotContains(t, text, "canary")
			require.NotContains(t, text, "PRIVATE KEY")
		}
		for e := range lifecycle.Errors(err) {
			require.NotContains(t, dump(*e), "canary")
			require.NotContains(t, dump(e.Err), "canary")
		}
	}
}

// Whoever asks anonymously, or an emulator, sends no token even where there is one.
func TestAnonymous(t *testing.T) {
	t.Parallel()
	fake := gcstest.NewFake(t)
	fake.Put("models", "llama/a", nil)
	env := lifecycle.EnvVars{"GOOGLE_APPLICATION_CREDENTIALS": serviceAccount(t, tokenService(t, http.StatusOK, granted))}
	src := openWith(t, "gs://anonymous@models/llama", env, &http.Client{Transport: split{fake}})
	_, err := src.Resolve(t.Context())
	require.NoError(t, err)
	env["STORAGE_EMULATOR_HOST"] = fake.Endpoint
	require.Len(t, resolve(t, env).Files, 1)
	for _, r := range fake.Requests() {
		require.Empty(t, r.Header.Get("Authorization"))
	}
}

// The project that pays is told with every request.
func TestRequesterPays(t *testing.T) {
	t.Parallel()
	fake := gcstest.NewFake(t)
	fake.Put("models", "llama/a", []byte("data"))
	fake.Before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Query().Get("userProject") == "payer" {
			return false
		}
		gcstest.Fail(w, 400, "required", "Bucket is a requester pays bucket but no user project provided.")
		return true
	}
	_, err := open(t, "gs://models/llama", fake.Env()).Resolve(t.Context())
	require.ErrorIs(t, err, lifecycle.Invalid)
	require.ErrorContains(t, err, "set GOOGLE_CLOUD_QUOTA_PROJECT to the project that pays")
	env := fake.Env()
	env["GOOGLE_CLOUD_QUOTA_PROJECT"] = "payer"
	src := open(t, "gs://models/llama", env)
	m, err := src.Resolve(t.Context())
	require.NoError(t, err)
	require.Equal(t, "data", readAll(t, src, m.Files[0]))

	var mux source.Mux
	mux.Handle("gs", hermetic(fake.Env(), &gcs.Options{UserProject: "payer"}))
	src, err = mux.Open(t.Context(), "gs://models/llama")
	require.NoError(t, err)
	_, err = src.Resolve(t.Context())
	require.NoError(t, err)
}

// The process's own variables, which the SDK would read, reach no source.
func TestHermetic(t *testing.T) {
	other, fake := gcstest.NewFake(t), gcstest.NewFake(t)
	t.Setenv("STORAGE_EMULATOR_HOST", other.Endpoint)
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", "/canary")
	t.Setenv("GCP_STORAGE_GO_ENABLE_OTEL_METRICS", "true")
	fake.Put("models", "llama/a", []byte("data"))
	env := lifecycle.EnvVars{"GCE_METADATA_HOST": tokenService(t, http.StatusOK, granted)[len("http://"):]}
	src := google(t, fake, env)
	m, err := src.Resolve(t.Context())
	require.NoError(t, err)
	require.Equal(t, "data", readAll(t, src, m.Files[0]))
	require.Empty(t, other.Requests())
}
