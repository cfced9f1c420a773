package web_test

import (
	"errors"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
)

const canary = "canary+of/a=secret"

// locked refuses whoever does not say what want is, and repeats what was said.
func locked(t *testing.T, want string) *fake {
	t.Helper()
	f := newFake(t)
	f.put(t, "llama/a.bin", []byte("data"))
	f.before = func(w http.ResponseWriter, r *http.Request) bool {
		got := r.Header.Get("Authorization")
		if got == want {
			return false
		}
		w.Header().Set("Www-Authenticate", "Basic "+got)
		http.Error(w, "echo "+got, http.StatusUnauthorized)
		return true
	}
	return f
}

// Each place that credentials may come from opens the door, and the hint names it where it does not.
func TestCredentials(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		want, user string
		env        lifecycle.EnvVars
		from       string
	}{
		"URI":    {"Basic bWU6Y2FuYXJ5K29mL2E9c2VjcmV0", "me:canary+of%2Fa=secret@", nil, "the URI"},
		"bearer": {"Bearer " + canary, "", lifecycle.EnvVars{"SPINUP_HTTP_TOKEN": canary}, "SPINUP_HTTP_TOKEN"},
		"basic":  {"Basic bWU6Y2FuYXJ5K29mL2E9c2VjcmV0", "", lifecycle.EnvVars{"SPINUP_HTTP_USER": "me", "SPINUP_HTTP_PASSWORD": canary}, "SPINUP_HTTP_USER"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, want := range []string{c.want, "something else"} {
				f := locked(t, want)
				env := lifecycle.EnvVars{"SPINUP_HTTP_ORIGIN": f.url}
				maps.Copy(env, c.env)
				src := open(t, "http://"+c.user+strings.TrimPrefix(f.url, "http://")+"/llama/", env)
				m, err := src.Resolve(t.Context())
				inside := struct{ src source.Source }{src} // where fmt cannot call String
				texts := []string{dump(src), dump(inside), dump(m), dump(err)}
				if want == c.want {
					require.NoError(t, err)
					require.Equal(t, "data", readAll(t, src, m.Files[0]))
				} else {
					require.ErrorIs(t, err, lifecycle.Unauthenticated)
					require.ErrorContains(t, err, "does not accept the credentials from "+c.from)
					for e := range lifecycle.Errors(err) {
						texts = append(texts, dump(*e), dump(e.Err), dump(errors.Unwrap(e.Err)))
					}
				}
				for _, text := range texts {
					require.NotContains(t, text, "canary")
					require.NotContains(t, text, "bWU6Y2")
				}
			}
		})
	}
}

// Credentials for one origin are told to no other, neither at once nor after a redirect.
func TestOtherOrigin(t *testing.T) {
	t.Parallel()
	other := newFake(t)
	other.put(t, "llama/a.bin", []byte("data"))
	f := newFake(t)
	f.before = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "a.bin") {
			return false
		}
		http.Redirect(w, r, other.url+"/llama/a.bin?signed=canary", http.StatusFound)
		return true
	}
	src := open(t, "http://me:canary@"+strings.TrimPrefix(f.url, "http://")+"/llama/a.bin", nil)
	m := resolve(t, src)
	require.Equal(t, "data", readAll(t, src, m.Files[0]))
	require.NotEmpty(t, f.seen()[0].Header.Get("Authorization"))
	env := lifecycle.EnvVars{"SPINUP_HTTP_ORIGIN": f.url, "SPINUP_HTTP_TOKEN": canary}
	resolve(t, open(t, other.url+"/llama/", env))
	for _, r := range other.seen() {
		require.Empty(t, r.Header.Get("Authorization"))
	}
	_, err := open(t, locked(t, "x").url+"/llama/", env).Resolve(t.Context())
	require.ErrorIs(t, err, lifecycle.Unauthenticated)
	require.ErrorContains(t, err, "set SPINUP_HTTP_ORIGIN=http://127.0.0.1:")

	_, err = tryOpen(t, f.url+"/llama/", lifecycle.EnvVars{"SPINUP_HTTP_ORIGIN": "http://me:canary@h/x"})
	require.ErrorIs(t, err, lifecycle.Invalid)
	require.NotContains(t, err.Error(), "canary")
}

// Redirects that go round, to nowhere, or out of TLS are errors, and repeat no address.
func TestBadRedirects(t *testing.T) {
	t.Parallel()
	for want, to := range map[string]string{
		"too many redirects": "/llama/a.bin?canary", "no address": "ftp://canary/", "to what is no address": "http://me:canary@h/",
	} {
		f := answering(t, nil)
		f.before = func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Location", to)
			w.WriteHeader(http.StatusFound)
			return true
		}
		_, err := open(t, f.url+"/llama/a.bin", nil).Open(t.Context(), source.File{Path: "a.bin", Size: 3, Version: `"x"`}, 0, -1)
		require.ErrorIs(t, err, lifecycle.Unavailable)
		require.ErrorContains(t, err, want)
		require.NotContains(t, dump(err), "canary")
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	plain := newFake(t)
	plain.put(t, "a", []byte("data"))
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, plain.url+"/a", http.StatusFound)
	}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	_, err := open(t, srv.URL+"/a", nil).Resolve(t.Context())
	require.ErrorIs(t, err, lifecycle.Unavailable)
	require.ErrorContains(t, err, "let SSL_CERT_FILE name")

	client := srv.Client()
	mux := source.Mux{HTTP: client}
	mux.Handle("https", hermetic(nil))
	src, err := mux.Open(t.Context(), srv.URL+"/a")
	require.NoError(t, err)
	_, err = src.Resolve(t.Context())
	require.ErrorIs(t, err, lifecycle.Unavailable)
	require.ErrorContains(t, err, "redirects from https to http")
	require.Nil(t, client.CheckRedirect, "the caller's client is not changed")
}
