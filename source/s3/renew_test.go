package s3_test

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spinup-llm/spinup/download"
	"github.com/spinup-llm/spinup/internal/s3test"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

// A role of a profile is taken with the keys of another one, at the STS that env_vars name.
func TestAssumedRole(t *testing.T) {
	t.Parallel()
	env := lifecycle.EnvVars{
		"AWS_PROFILE": "reader", "AWS_ENDPOINT_URL_STS": services(t),
		"AWS_CONFIG_FILE": writeFile(t, "config", "[profile reader]\nrole_arn=arn:aws:iam::1:role/reader\nsource_profile=base\n"+
			"role_session_name=me\n[profile base]\naws_access_key_id=BASE\naws_secret_access_key=s\n"),
	}
	id, token, err := usedBy(t, env)
	require.NoError(t, err)
	require.Equal(t, "ROLE-BASE", id)
	require.Equal(t, "me", token)
}

// Whoever has signed in with SSO needs no keys; whoever has not is told so. The SDK looks
// for the sign-in in the process's own home.
func TestSSO(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	config := fmt.Sprintf("[profile x]\nsso_session=corp\nsso_account_id=123\nsso_role_name=reader\nservices=mine\n"+
		"[sso-session corp]\nsso_region=eu-west-1\nsso_start_url=https://corp.example/start\n[services mine]\nsso =\n  endpoint_url = %s\n", services(t))
	env := lifecycle.EnvVars{"AWS_PROFILE": "x", "AWS_CONFIG_FILE": writeFile(t, "config", config)}
	_, _, err := usedBy(t, env)
	require.ErrorIs(t, err, lifecycle.Unauthenticated)
	require.ErrorContains(t, err, `profile "x"`)

	dir := filepath.Join(home, ".aws", "sso", "cache")
	require.NoError(t, os.MkdirAll(dir, 0o700))
	name := sha1.Sum([]byte("corp"))
	signedIn := fmt.Sprintf(`{"accessToken":"signed-in","expiresAt":"%s"}`, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	require.NoError(t, os.WriteFile(filepath.Join(dir, hex.EncodeToString(name[:])+".json"), []byte(signedIn), 0o600))
	id, token, err := usedBy(t, env)
	require.NoError(t, err)
	require.Equal(t, "SSO-123-reader", id)
	require.Equal(t, "signed-in", token)
}

// expiring refuses the keys whose session token is not the one that is good.
type expiring struct {
	*s3test.Fake
	good    atomic.Value
	refused atomic.Int32
}

func newExpiring(tb testing.TB) *expiring {
	tb.Helper()
	e := &expiring{Fake: s3test.NewFake(tb)}
	e.Before = func(w http.ResponseWriter, r *http.Request) bool {
		if good := e.good.Load(); good == nil || r.Header.Get("X-Amz-Security-Token") == good {
			return false
		}
		e.refused.Add(1)
		s3test.Fail(w, http.StatusBadRequest, "ExpiredToken", "The provided token has expired.")
		return true
	}
	return e
}

// Keys that a place gives anew are replaced when the service no longer takes them, once
// for all readers.
func TestRenewal(t *testing.T) {
	t.Parallel()
	fake := newExpiring(t)
	fake.Put("models", "llama/a", []byte("data"))
	var given atomic.Int32
	place := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"AccessKeyId":"KEY","SecretAccessKey":"s","Token":"token%d","Expiration":"%s"}`,
			given.Add(1), time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	}))
	t.Cleanup(place.Close)
	src := open(t, "s3://models/llama", lifecycle.EnvVars{
		"AWS_ENDPOINT_URL": fake.Endpoint, "AWS_CONTAINER_CREDENTIALS_FULL_URI": place.URL,
	})
	m, err := src.Resolve(t.Context())
	require.NoError(t, err)
	fake.good.Store("token2")
	var g errgroup.Group
	for range 8 {
		g.Go(func() error {
			body, err := src.Open(t.Context(), m.Files[0], 0, -1)
			if err == nil {
				err = body.Close()
			}
			return err
		})
	}
	require.NoError(t, g.Wait())
	require.Equal(t, int32(2), given.Load())
	require.Positive(t, fake.refused.Load())
}

// A file of keys that is written anew is read anew.
func TestRewrittenProfile(t *testing.T) {
	t.Parallel()
	fake := newExpiring(t)
	fake.Put("models", "llama/a", []byte("data"))
	const keys = "[default]\naws_access_key_id=A\naws_secret_access_key=s\naws_session_token=%s\n"
	file := writeFile(t, "keys", fmt.Sprintf(keys, "first"))
	src := open(t, "s3://models/llama", lifecycle.EnvVars{"AWS_ENDPOINT_URL": fake.Endpoint, "AWS_SHARED_CREDENTIALS_FILE": file})
	m, err := src.Resolve(t.Context())
	require.NoError(t, err)
	fake.good.Store("second")
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, keys, "second"), 0o600))
	require.Equal(t, "data", readAll(t, src, m.Files[0]))

	fake.good.Store("third")
	_, err = src.Open(t.Context(), m.Files[0], 0, -1)
	require.ErrorIs(t, err, lifecycle.Unauthenticated)
	require.ErrorContains(t, err, "keys (used)")
}

// Keys that are given once end the download with what to do; with new ones it goes on.
func TestExpiryInADownload(t *testing.T) {
	t.Parallel()
	const size, part, before = 16 << 20, 256 << 10, 48
	fake := newExpiring(t)
	fake.Put("models", "llama/a", []byte(strings.Repeat("0123456789abcdef", size/16)))
	refuse := fake.Before
	var ranges, asked atomic.Int64
	fake.Before = func(w http.ResponseWriter, r *http.Request) bool {
		var first, last int64
		if n, _ := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d", &first, &last); n == 2 {
			asked.Add(last - first + 1)
			if ranges.Add(1) == before {
				fake.good.Store("new")
			}
		}
		return refuse(w, r)
	}
	env := maps.Clone(fake.Env())
	env["AWS_SESSION_TOKEN"] = "old-canary"
	m, dir := &download.Manager{PartSize: part, Budget: &download.Budget{Connections: 8}}, t.TempDir()
	_, err := m.Fetch(t.Context(), open(t, "s3://models/llama", env), dir)
	require.ErrorIs(t, err, lifecycle.Unauthenticated)
	require.ErrorContains(t, err, "get a new AWS_SESSION_TOKEN")
	require.NotContains(t, dump(err), "canary")

	asked.Store(0)
	env["AWS_SESSION_TOKEN"] = "new"
	man, err := m.Fetch(t.Context(), open(t, "s3://models/llama", env), dir)
	require.NoError(t, err)
	require.NoError(t, download.Verify(t.Context(), man, dir))
	require.Less(t, asked.Load(), int64(size*3/4), "what had arrived is not fetched again")
}
