package hub_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/spinup-llm/spinup/internal/hubtest"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/source/hub"
	"github.com/stretchr/testify/require"
)

// The first of the places counts, as in huggingface_hub.
func TestTokenPlaces(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, token string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(token), 0o600))
		return path
	}
	other := write("other", " "+hubtest.Token+"\r\n")
	write("hf/token", hubtest.Token+"\n")
	write(".cache/huggingface/token", hubtest.Token)
	write("xdg/huggingface/token", hubtest.Token)
	for name, c := range map[string]struct {
		env  lifecycle.EnvVars
		want string
	}{
		"none":         {lifecycle.EnvVars{"HF_HOME": filepath.Join(dir, "no")}, ""},
		"nothing":      {lifecycle.EnvVars{"HF_HOME": ""}, ""},
		"variable":     {lifecycle.EnvVars{"HF_TOKEN": hubtest.Token + "\n", "HUGGING_FACE_HUB_TOKEN": hubtest.Stranger}, hubtest.Token},
		"old variable": {lifecycle.EnvVars{"HF_TOKEN": " \n", "HUGGING_FACE_HUB_TOKEN": hubtest.Token, "HF_TOKEN_PATH": "/nowhere"}, hubtest.Token},
		"path":         {lifecycle.EnvVars{"HF_TOKEN_PATH": other}, hubtest.Token},
		"HF_HOME":      {lifecycle.EnvVars{"HF_HOME": filepath.Join(dir, "hf")}, hubtest.Token},
		"XDG":          {lifecycle.EnvVars{"HF_HOME": "", "XDG_CACHE_HOME": filepath.Join(dir, "xdg"), "HOME": "/nowhere"}, hubtest.Token},
		"home":         {lifecycle.EnvVars{"HF_HOME": "", "HOME": dir}, hubtest.Token},
		"tilde":        {lifecycle.EnvVars{"HF_HOME": "~/hf", "HOME": dir}, hubtest.Token},
		"forbidden":    {lifecycle.EnvVars{"HF_TOKEN": hubtest.Token, "HF_HUB_DISABLE_IMPLICIT_TOKEN": "yes"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := stocked(t)
			env := h.Env()
			maps.Copy(env, c.env)
			resolve(t, open(t, "hf://acme/tiny", env))
			for _, r := range h.Requests() {
				require.Equal(t, c.want, r.Token)
			}
		})
	}
}

func TestTokenMalformed(t *testing.T) {
	t.Parallel()
	for _, token := range []string{"hf_canary with blanks", "hf_canaryß", "hf_canary\x01x"} {
		_, err := tryOpen(t, "hf://acme/tiny", lifecycle.EnvVars{"HF_TOKEN": token}, nil)
		require.ErrorIs(t, err, lifecycle.Invalid)
		require.ErrorContains(t, err, "the token of HF_TOKEN")
		require.NotContains(t, dump(err), "canary")
	}
}

// elsewhere is another origin. It notes the secrets that it is sent, and redirects back to
// origins that it is told.
type elsewhere struct {
	*httptest.Server
	mu   sync.Mutex
	seen []string
}

func newElsewhere(t *testing.T) *elsewhere {
	t.Helper()
	e := &elsewhere{}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.seen = append(e.seen, r.Header.Get("Authorization")+r.Header.Get("Cookie"))
		_, _ = w.Write([]byte("[]"))
	}))
	t.Cleanup(e.Close)
	return e
}

// The token reaches no origin but the hub's, whichever request is redirected there.
func TestTokenStaysHome(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"127.0.0.1", "localhost"} {
		for _, path := range []string{"/revision/", "/tree/", "/resolve/", "/resolve-cache/"} {
			t.Run(host+path, func(t *testing.T) {
				t.Parallel()
				h, e := stocked(t), newElsewhere(t)
				src := open(t, "hf://acme/tiny", with(h.Env(), "HF_TOKEN", hubtest.Token))
				f := listed(t, src, "config.json")
				u, err := url.Parse(e.URL)
				require.NoError(t, err)
				h.Break(hubtest.Fault{Path: path, Do: hubtest.Redirect("http://" + host + ":" + u.Port())})
				_, _ = src.Resolve(t.Context())
				_, _ = read(t, src, f, 0, -1)
				e.mu.Lock()
				defer e.mu.Unlock()
				require.NotEmpty(t, e.seen)
				for _, secret := range e.seen {
					require.Empty(t, secret)
				}
			})
		}
	}
}

// Another name of the same server is another origin.
func TestTokenOtherName(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/revision/", "/tree/", "/resolve/"} {
		h := stocked(t)
		u, err := url.Parse(h.URL)
		require.NoError(t, err)
		h.Break(hubtest.Fault{Path: path, Times: 1, Do: hubtest.Redirect("http://localhost:" + u.Port())})
		src := open(t, "hf://acme/tiny", with(h.Env(), "HF_TOKEN", hubtest.Token))
		mustRead(t, src, listed(t, src, weights), 0, -1)
		tokens := []string{}
		for _, r := range requests(h, false, path) {
			tokens = append(tokens, r.Token)
		}
		require.Equal(t, []string{hubtest.Token, ""}, tokens, path)
	}
}

// The next page of a tree may be said to lie elsewhere: the token does not go there.
func TestTokenNextPage(t *testing.T) {
	t.Parallel()
	h, e := stocked(t), newElsewhere(t)
	h.Break(hubtest.Fault{Path: "/tree/", Do: func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		w.Header().Set("Link", "<"+e.URL+`/more>; rel="next"`)
		next.ServeHTTP(w, r)
	}})
	resolve(t, open(t, "hf://acme/tiny", with(h.Env(), "HF_TOKEN", hubtest.Token)))
	require.Equal(t, []string{""}, e.seen)
}

// The CDN of the fixture refuses a token; the hub gets it with every request.
func TestTokenNotToCDN(t *testing.T) {
	t.Parallel()
	h := stocked(t)
	src := open(t, "hf://acme/private", with(h.Env(), "HF_TOKEN", hubtest.Token))
	for _, f := range resolve(t, src).Files {
		mustRead(t, src, f, 0, -1)
	}
	for _, r := range h.Requests() {
		require.Equal(t, !r.CDN, r.Token == hubtest.Token, r.Path)
	}
}

// A client of the caller's is used without its way of following redirects.
func TestClientOfCaller(t *testing.T) {
	t.Parallel()
	h := stocked(t)
	used := &counting{from: http.DefaultTransport}
	mux := source.Mux{HTTP: &http.Client{Transport: used}}
	mux.Handle("hf", hermetic(with(h.Env(), "HF_TOKEN", hubtest.Token), nil))
	src, err := mux.Open(t.Context(), "hf://acme/tiny")
	require.NoError(t, err)
	require.Equal(t, text(1000), mustRead(t, src, listed(t, src, "model.safetensors"), 0, -1))
	require.Len(t, h.Requests(), used.n)
}

type counting struct {
	from http.RoundTripper
	n    int
}

func (c *counting) RoundTrip(r *http.Request) (*http.Response, error) {
	c.n++
	return c.from.RoundTrip(r)
}

// No format shows a token or the signature of a link.
func TestNoSecretIsFormatted(t *testing.T) {
	t.Parallel()
	h := stocked(t)
	env := with(h.Env(), "HF_TOKEN", hubtest.Token)
	src := open(t, "hf://acme/tiny", env)
	f := listed(t, src, "model.safetensors")
	mustRead(t, src, f, 0, -1)
	require.NotContains(t, dump(src), hubtest.Token)
	require.NotContains(t, dump(src), "Signature")
	require.NotContains(t, dump(hub.Opener(nil)), hubtest.Token)

	evil := "http://[::1/?Signature=canary"
	h.Break(hubtest.Fault{Path: "/revision/", Times: 1, Do: hubtest.Status(302, "", "Location", evil)})
	h.Break(hubtest.Fault{Path: "/revision/", Times: 1, Do: hubtest.Status(302, "", "Location", "ftp://x/?Signature=canary")})
	h.Break(hubtest.Fault{Path: "/revision/", Times: 1, Do: hubtest.Status(302, "", "Location", "http://127.0.0.1:1/?Signature=canary")})
	h.Break(hubtest.Fault{Path: "/revision/", Do: hubtest.Status(400, "", "X-Error-Message", "no "+hubtest.Token+" for /x?Signature=canary")})
	for range 5 {
		_, err := src.Resolve(t.Context())
		require.Error(t, err)
		require.NotContains(t, dump(err), "canary")
		require.NotContains(t, dump(err), hubtest.Token)
	}
}
