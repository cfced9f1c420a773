package s3_test

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spinup-llm/spinup/internal/s3test"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source/s3"
	"github.com/stretchr/testify/require"
)

var keyID = regexp.MustCompile(`Credential=([^/]+)/`)

// usedBy returns the key id and token that a source opened with env signs its requests with.
func usedBy(t *testing.T, env lifecycle.EnvVars) (id, token string, err error) {
	t.Helper()
	fake := s3test.NewFake(t)
	fake.Put("models", "llama/a", nil)
	fake.Before = func(_ http.ResponseWriter, r *http.Request) bool {
		if m := keyID.FindStringSubmatch(r.Header.Get("Authorization")); m != nil {
			id, token = m[1], r.Header.Get("X-Amz-Security-Token")
		}
		return false
	}
	env = maps.Clone(env)
	env["AWS_ENDPOINT_URL_S3"] = fake.Endpoint
	src := open(t, "s3://models/llama", env)
	if _, err = src.Resolve(t.Context()); err == nil {
		_, err = src.Resolve(t.Context())
	}
	return id, token, err
}

// services answers for STS, the container service and the instance's metadata. What they
// give names the place that gave it.
func services(t *testing.T) string {
	t.Helper()
	expires := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	keys := func(of string) string {
		return fmt.Sprintf(`{"Code":"Success","AccessKeyId":"%s","SecretAccessKey":"secret","Token":"token","Expiration":"%s"}`, of, expires)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /federation/credentials", func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, `{"roleCredentials":{"accessKeyId":"SSO-%s-%s","secretAccessKey":"secret","sessionToken":"%s","expiration":%d}}`,
			r.FormValue("account_id"), r.FormValue("role_name"), r.Header.Get("X-Amz-Sso_bearer_token"), time.Now().Add(time.Hour).UnixMilli())
	})
	mux.HandleFunc("POST /{$}", func(w http.ResponseWriter, r *http.Request) {
		if r.PostFormValue("Action") == "AssumeRole" {
			_, _ = fmt.Fprintf(w, `<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ROLE-%s</AccessKeyId>`+
				`<SecretAccessKey>secret</SecretAccessKey><SessionToken>%s</SessionToken><Expiration>%s</Expiration></Credentials>`+
				`</AssumeRoleResult></AssumeRoleResponse>`, keyID.FindStringSubmatch(r.Header.Get("Authorization"))[1], r.PostFormValue("RoleSessionName"), expires)
			return
		}
		if r.PostFormValue("WebIdentityToken") != "jwt" || r.PostFormValue("RoleArn") != "arn:aws:iam::1:role/reader" {
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `<ErrorResponse><Error><Code>AccessDenied</Code><Message>Not authorized to perform `+
				`sts:AssumeRoleWithWebIdentity</Message></Error></ErrorResponse>`)
			return
		}
		_, _ = fmt.Fprintf(w, `<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>WEBIDENTITY</AccessKeyId>`+
			`<SecretAccessKey>secret</SecretAccessKey><SessionToken>%s</SessionToken><Expiration>%s</Expiration></Credentials>`+
			`</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`, r.PostFormValue("RoleSessionName"), expires)
	})
	mux.HandleFunc("GET /container", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, keys("CONTAINER-"+r.Header.Get("Authorization")))
	})
	mux.HandleFunc("PUT /latest/api/token", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "21600")
		_, _ = io.WriteString(w, "metadata-token")
	})
	mux.HandleFunc("GET /latest/meta-data/iam/security-credentials/{role...}", func(w http.ResponseWriter, r *http.Request) {
		if r.PathValue("role") == "" {
			_, _ = io.WriteString(w, "node-role")
			return
		}
		_, _ = io.WriteString(w, keys("INSTANCE"))
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return srv.URL
}

func writeFile(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

// Each place gives its credentials, and the earlier one wins.
func TestCredentialPlaces(t *testing.T) {
	t.Parallel()
	url := services(t)
	home := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(home, ".aws"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(home, ".aws", "credentials"),
		[]byte("[default]\naws_access_key_id=HOME\naws_secret_access_key=s\n[other]\naws_access_key_id=OTHER\naws_secret_access_key=s\naws_session_token=st\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(home, ".aws", "config"),
		[]byte(`[profile program]
credential_process = /bin/sh -c 'printf "{\"Version\":1,\"AccessKeyId\":\"PROGRAM\",\"SecretAccessKey\":\"s\"}"'
`), 0o600))

	env := lifecycle.EnvVars{"AWS_EC2_METADATA_SERVICE_ENDPOINT": url}
	step := func(want, wantToken string, add lifecycle.EnvVars) {
		t.Helper()
		maps.Copy(env, add)
		id, token, err := usedBy(t, env)
		require.NoError(t, err)
		require.Equal(t, want, id)
		require.Equal(t, wantToken, token)
	}
	step("INSTANCE", "token", nil)
	step("CONTAINER-of a pod", "token", lifecycle.EnvVars{
		"AWS_CONTAINER_CREDENTIALS_FULL_URI": url + "/container", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "of a pod",
	})
	step("CONTAINER-of a file", "token", lifecycle.EnvVars{"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": writeFile(t, "token", "of a file")})
	step("HOME", "", lifecycle.EnvVars{"HOME": home})
	step("OTHER", "st", lifecycle.EnvVars{"AWS_PROFILE": "other"})
	step("PROGRAM", "", lifecycle.EnvVars{"AWS_PROFILE": "program"})
	step("WEBIDENTITY", "spinup", lifecycle.EnvVars{
		"AWS_WEB_IDENTITY_TOKEN_FILE": writeFile(t, "jwt", "jwt"), "AWS_ROLE_ARN": "arn:aws:iam::1:role/reader", "AWS_ENDPOINT_URL_STS": url,
	})
	step("ENVIRONMENT", "", lifecycle.EnvVars{"AWS_ACCESS_KEY_ID": "ENVIRONMENT", "AWS_SECRET_ACCESS_KEY": "s"})
	step("ENVIRONMENT", "session", lifecycle.EnvVars{"AWS_SESSION_TOKEN": "session"})
}

// A place that is configured and fails is the end: to go on with other rights would surprise.
func TestCredentialFailures(t *testing.T) {
	t.Parallel()
	url := services(t)
	empty := httptest.NewServer(http.NotFoundHandler()) // a machine without a role
	t.Cleanup(empty.Close)
	for want, env := range map[string]lifecycle.EnvVars{
		"one of them is not set":     {"AWS_ACCESS_KEY_ID": "canary-id"},
		"AWS_ROLE_ARN is not set":    {"AWS_WEB_IDENTITY_TOKEN_FILE": "/x"},
		"no such file":               {"AWS_WEB_IDENTITY_TOKEN_FILE": "/x", "AWS_ROLE_ARN": "arn:aws:iam::1:role/reader"},
		"AccessDenied":               {"AWS_WEB_IDENTITY_TOKEN_FILE": writeFile(t, "jwt", "canary"), "AWS_ROLE_ARN": "arn:aws:iam::1:role/reader", "AWS_ENDPOINT_URL_STS": url},
		`profile "nope"`:             {"AWS_PROFILE": "nope", "HOME": t.TempDir()},
		"there are no credentials":   {"AWS_EC2_METADATA_DISABLED": "true"},
		"EC2 instance (failed)":      {"AWS_EC2_METADATA_SERVICE_ENDPOINT": empty.URL},
		"goes in clear to example":   {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://example.com/keys"},
		"is no URL of a server":      {"AWS_WEB_IDENTITY_TOKEN_FILE": "/x", "AWS_ROLE_ARN": "r", "AWS_ENDPOINT_URL_STS": "nonsense"},
		"FULL_URI (failed)":          {"AWS_CONTAINER_CREDENTIALS_FULL_URI": url + "/nothing-here"},
		"AWS_SECRET_ACCESS_KEY (fai": {"AWS_SECRET_ACCESS_KEY": "canary-key", "AWS_EC2_METADATA_SERVICE_ENDPOINT": url},
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			_, _, err := usedBy(t, env)
			require.ErrorIs(t, err, lifecycle.Unauthenticated)
			require.ErrorContains(t, err, want)
			require.ErrorContains(t, err, "tried in this order: AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY (")
			require.ErrorContains(t, err, "s3://anonymous@BUCKET/PREFIX")
			require.NotContains(t, dump(err), "canary")
		})
	}
}

// That the giver of credentials is away passes; the keys are not wrong.
func TestCredentialServiceAway(t *testing.T) {
	t.Parallel()
	busy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	t.Cleanup(busy.Close)
	for want, env := range map[string]lifecycle.EnvVars{
		"AWS_ROLE_ARN: ": {
			"AWS_WEB_IDENTITY_TOKEN_FILE": writeFile(t, "jwt", "jwt"), "AWS_ROLE_ARN": "r", "AWS_ENDPOINT_URL_STS": "http://127.0.0.1:1",
		},
		"_FULL_URI: the service answered (503)": {"AWS_CONTAINER_CREDENTIALS_FULL_URI": busy.URL},
		"EC2 instance: no EC2 IMDS role found":  {"AWS_EC2_METADATA_SERVICE_ENDPOINT": busy.URL},
		"connection refused":                    {"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:1"},
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			_, _, err := usedBy(t, env)
			require.ErrorIs(t, err, lifecycle.Unavailable)
			require.ErrorContains(t, err, want)
		})
	}
}

// Keys are replaced before their end, and used until then where whoever gives them is away.
func TestRenewalAway(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]string{"instance": "AWS_EC2_METADATA_SERVICE_ENDPOINT", "container": "AWS_CONTAINER_CREDENTIALS_FULL_URI"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			place := newPlace(t)
			fake := newExpiring(t)
			fake.Put("models", "llama/a", []byte("data"))
			env := lifecycle.EnvVars{"AWS_ENDPOINT_URL": fake.Endpoint, at: place.url}
			src := open(t, "s3://models/llama", env)
			m, err := src.Resolve(t.Context())
			require.NoError(t, err)
			before := place.given.Load()
			place.away.Store(true)
			require.Equal(t, "data", readAll(t, src, m.Files[0]))
			require.Equal(t, before, place.given.Load())

			fake.good.Store("other") // the service no longer takes them
			_, err = src.Open(t.Context(), m.Files[0], 0, -1)
			require.ErrorIs(t, err, lifecycle.Unavailable)
			require.ErrorContains(t, err, "no credentials from ")
		})
	}
}

// Whoever gave keys that have run out, and is away, may come back.
func TestRenewalTooLate(t *testing.T) {
	t.Parallel()
	place := newPlace(t)
	place.expired.Store(true)
	fake := newExpiring(t)
	fake.Put("models", "llama/a", []byte("data"))
	src := open(t, "s3://models/llama", lifecycle.EnvVars{"AWS_ENDPOINT_URL": fake.Endpoint, "AWS_CONTAINER_CREDENTIALS_FULL_URI": place.url})
	m, err := src.Resolve(t.Context())
	require.NoError(t, err)
	place.away.Store(true)
	_, err = src.Open(t.Context(), m.Files[0], 0, -1)
	require.ErrorIs(t, err, lifecycle.Unavailable)
}

// A place gives keys that are to be replaced at once, as an instance or a container does.
type place struct {
	url           string
	away, expired atomic.Bool
	given         atomic.Int32
}

func newPlace(t *testing.T) *place {
	t.Helper()
	p := &place{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case p.away.Load():
			w.WriteHeader(http.StatusServiceUnavailable)
		case r.Method == http.MethodPut:
			w.WriteHeader(http.StatusNotFound) // an instance that asks for no token
		case r.URL.Path == "/latest/meta-data/iam/security-credentials/":
			_, _ = io.WriteString(w, "node-role")
		default:
			p.given.Add(1)
			left := 50 * time.Second
			if p.expired.Load() {
				left = -time.Second
			}
			_, _ = fmt.Fprintf(w, `{"Code":"Success","AccessKeyId":"KEY","SecretAccessKey":"s","Token":"t","Expiration":"%s"}`,
				time.Now().Add(left).UTC().Format(time.RFC3339))
		}
	}))
	t.Cleanup(srv.Close)
	p.url = srv.URL
	return p
}

// The keys of a rejected request are named by their place, after those tried before.
func TestRejectedKeys(t *testing.T) {
	t.Parallel()
	fake := s3test.NewFake(t)
	fake.Before = func(w http.ResponseWriter, _ *http.Request) bool {
		s3test.Fail(w, 403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")
		return true
	}
	env := lifecycle.EnvVars{
		"AWS_ENDPOINT_URL":            fake.Endpoint,
		"AWS_SHARED_CREDENTIALS_FILE": writeFile(t, "keys", "[default]\naws_access_key_id=A\naws_secret_access_key=s\n"),
	}
	_, err := open(t, "s3://models/llama", env).Resolve(t.Context())
	require.ErrorIs(t, err, lifecycle.Unauthenticated)
	require.ErrorContains(t, err, `AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY (not set), AWS_WEB_IDENTITY_TOKEN_FILE with AWS_ROLE_ARN (not set), profile "default" of `)
	require.ErrorContains(t, err, "keys (used)")
}

// Credentials that run out are fetched anew.
func TestCredentialsExpire(t *testing.T) {
	t.Parallel()
	var n atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"AccessKeyId":"KEY%d","SecretAccessKey":"s","Token":"t","Expiration":"%s"}`,
			n.Add(1), time.Now().Add(-time.Second).UTC().Format(time.RFC3339))
	}))
	t.Cleanup(srv.Close)
	id, _, err := usedBy(t, lifecycle.EnvVars{"AWS_CONTAINER_CREDENTIALS_FULL_URI": srv.URL})
	require.NoError(t, err)
	require.NotEqual(t, "KEY1", id, "the last request has other keys than the first one")
}

// Region and endpoint may come from the profile.
func TestProfileSettings(t *testing.T) {
	t.Parallel()
	fake := s3test.NewFake(t)
	fake.Put("models", "llama/a", nil)
	var region string
	fake.Before = func(_ http.ResponseWriter, r *http.Request) bool {
		region = signedFor(r)
		return false
	}
	config := strings.ReplaceAll("[profile x]\nregion=eu-south-1\nservices=mine\naws_access_key_id=A\naws_secret_access_key=s\n"+
		"[services mine]\ns3 =\n  endpoint_url = URL\n", "URL", fake.Endpoint)
	env := lifecycle.EnvVars{"AWS_PROFILE": "x", "AWS_CONFIG_FILE": writeFile(t, "config", config)}
	require.Len(t, resolve(t, env).Files, 1)
	require.Equal(t, "eu-south-1", region)
}

// What one model is given reaches neither another one nor comes from the process.
func TestProcessIsLeftAlone(t *testing.T) {
	for _, key := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI"} {
		t.Setenv(key, "process")
	}
	t.Setenv("AWS_REGION", "process-1")
	t.Setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
	t.Setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_CA_BUNDLE", "/no/such/bundle")

	url := services(t)
	id, _, err := usedBy(t, lifecycle.EnvVars{"AWS_EC2_METADATA_SERVICE_ENDPOINT": url})
	require.NoError(t, err)
	require.Equal(t, "INSTANCE", id)

	fake := s3test.NewFake(t)
	fake.Put("models", "llama/a", nil)
	opener := s3.Opener(nil)
	mux := newMux(opener)
	src, err := mux.WithEnv(fake.Env()).WithEnv(lifecycle.EnvVars{"AWS_ENDPOINT_URL_S3": fake.Endpoint, "AWS_CA_BUNDLE": ""}).
		Open(t.Context(), "s3://models/llama")
	require.NoError(t, err)
	_, err = src.Resolve(t.Context())
	require.NoError(t, err)
	require.Equal(t, "process", os.Getenv("AWS_SECRET_ACCESS_KEY"))
	_, err = mux.Open(t.Context(), "s3://models/llama")
	require.ErrorIs(t, err, lifecycle.Invalid, "without env_vars, the process's bundle counts")
}
