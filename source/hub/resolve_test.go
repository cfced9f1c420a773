package hub_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/spinup-llm/spinup/internal/hubtest"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source/hub"
	"github.com/stretchr/testify/require"
)

func requireFile(t *testing.T, dir, path, want string) {
	t.Helper()
	got, err := os.ReadFile(filepath.Join(dir, path))
	require.NoError(t, err)
	require.True(t, bytes.Equal([]byte(want), got), "%s differs", path)
}

func TestRevisions(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	first := h.Put(id, "a", []byte("one"))
	h.Branch(id, "v1.0")
	h.Branch(id, "refs/pr/1")
	last := h.Put(id, "a", []byte("two"))
	for uri, want := range map[string]string{
		"hf://acme/tiny":           last,
		"hf://acme/tiny/":          last,
		"acme/tiny":                last,
		"hf://acme/tiny@main":      last,
		"hf://acme/tiny@v1.0":      first,
		"hf://acme/tiny@refs/pr/1": first,
		"hf://acme/tiny@" + first:  first,
	} {
		m := resolve(t, open(t, uri, h.Env()))
		require.Equal(t, want, m.Revision, uri)
		require.Equal(t, "hf://acme/tiny", m.URI)
		require.Equal(t, "git-sha1", m.Files[0].Digest.Algorithm)
		require.Equal(t, m.Files[0].Digest.Hex, m.Files[0].Version)
	}
}

// A commit needs no question what it is.
func TestPinned(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	sha := h.Put(id, "a", []byte("one"))
	resolve(t, open(t, "hf://acme/tiny@"+sha, h.Env()))
	require.Len(t, h.Requests(), 1)
}

func TestNoNamespace(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	h.Put("gpt2", "a", []byte("one"))
	h.Put("gpt2", "a.bin", []byte("two"))
	for _, uri := range []string{"hf://gpt2", "gpt2", "hf://gpt2@main"} {
		src := open(t, uri, h.Env())
		m := resolve(t, src)
		require.Equal(t, "hf://gpt2", m.URI)
		require.Equal(t, "one", mustRead(t, src, m.Files[0], 0, -1))
		require.Equal(t, "two", mustRead(t, src, m.Files[1], 0, -1))
	}
	_, err := open(t, "hf://gtp2", h.Env()).Resolve(t.Context())
	require.ErrorIs(t, err, lifecycle.NotFound)
}

func TestRenamed(t *testing.T) {
	t.Parallel()
	h := stocked(t)
	h.Rename(id, "newco/small")
	src := open(t, "hf://acme/tiny", with(h.Env(), "HF_TOKEN", hubtest.Token))
	m := resolve(t, src)
	require.Equal(t, "hf://newco/small", m.URI, "the name that it has now")
	for _, f := range m.Files {
		mustRead(t, src, f, 0, -1)
	}
	require.Zero(t, count(h, false, "acme/tiny/resolve"))
	pinned := open(t, "hf://acme/tiny@"+m.Revision, h.Env())
	require.Equal(t, text(1000), mustRead(t, pinned, listed(t, pinned, weights), 0, -1))
}

func TestPages(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	h.PageSize = 10
	for i := range 35 {
		h.Put(id, fmt.Sprintf("d%d/f%02d", i%3, i), []byte{byte(i)})
	}
	require.Len(t, resolve(t, open(t, "hf://acme/tiny", h.Env())).Files, 35)
	require.Equal(t, 4, count(h, false, "/tree/"))
}

func TestPagesInACircle(t *testing.T) {
	t.Parallel()
	h := stocked(t)
	h.Break(hubtest.Fault{Path: "/tree/", Do: func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		w.Header().Set("Link", "<"+r.URL.RequestURI()+`>; rel="next"`)
		next.ServeHTTP(w, r)
	}})
	_, err := open(t, "hf://acme/tiny", h.Env()).Resolve(t.Context())
	require.ErrorIs(t, err, lifecycle.Unavailable)
	require.ErrorContains(t, err, "in a circle")
}

func TestTooManyRedirects(t *testing.T) {
	t.Parallel()
	h := stocked(t)
	h.Break(hubtest.Fault{Path: "/revision/", Do: hubtest.Redirect("")})
	_, err := open(t, "hf://acme/tiny", h.Env()).Resolve(t.Context())
	require.ErrorIs(t, err, lifecycle.Unavailable)
	require.ErrorContains(t, err, "too many redirects")
	require.Len(t, h.Requests(), 10)
}

func TestEndpoint(t *testing.T) {
	t.Parallel()
	h := stocked(t)
	env := lifecycle.EnvVars{"HF_ENDPOINT": "http://127.0.0.1:1/"}
	resolve(t, openWith(t, "hf://acme/tiny", env, &hub.Options{Endpoint: h.URL + "/"}))
	proxy := http.NewServeMux()
	proxy.HandleFunc("/mirror/hf/", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, h.URL+r.URL.EscapedPath()[len("/mirror/hf"):], http.StatusFound)
	})
	mirror := newServer(t, proxy)
	src := open(t, "hf://acme/tiny", lifecycle.EnvVars{"HF_ENDPOINT": mirror + "/mirror/hf/"})
	require.Equal(t, text(1000), mustRead(t, src, listed(t, src, weights), 0, -1))
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for uri, hint := range map[string]string{
		"hf://":                               "hf://ORG/NAME",
		"hf://acme/tiny/config.json":          "AllowPatterns",
		"hf://acme/tiny?x=1":                  "hf://ORG/NAME",
		"hf://acme/ti--ny":                    "hf://ORG/NAME",
		"hf://acme/..":                        "hf://ORG/NAME",
		"hf://acme/tiny.git":                  "hf://ORG/NAME",
		"hf://acme/tiny@":                     "a branch, a tag or a commit",
		"hf://acme/tiny@a..b":                 "a branch, a tag or a commit",
		"hf://acme/tiny@/a":                   "a branch, a tag or a commit",
		"hf://acme/tiny@a b":                  "a branch, a tag or a commit",
		"hf://user:hf_canary@acme/tiny":       "hf://ORG/NAME",
		"hf://acme/tiny@main?token=hf_canary": "a branch, a tag or a commit",
	} {
		_, err := tryOpen(t, uri, nil, nil)
		require.ErrorIs(t, err, lifecycle.Invalid, uri)
		require.ErrorContains(t, err, hint, uri)
	}
	for key, value := range map[string]string{
		"HF_ENDPOINT": "ftp://x", "HF_HUB_ETAG_TIMEOUT": "soon", "HF_HUB_DOWNLOAD_TIMEOUT": "-1",
	} {
		_, err := tryOpen(t, "hf://acme/tiny", lifecycle.EnvVars{key: value}, nil)
		require.ErrorIs(t, err, lifecycle.Invalid)
		require.ErrorContains(t, err, "hf://acme/tiny")
		require.NotEmpty(t, hints(err))
	}
	_, err := tryOpen(t, "hf://acme/tiny", lifecycle.EnvVars{"HF_ENDPOINT": "https://u:canary@x"}, nil)
	require.NotContains(t, dump(err), "canary")
}
