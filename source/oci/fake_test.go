package oci_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
)

const data = "0123456789"

// fake answers for org/llama: one manifest, and blobs through blob. It returns its HOST:PORT.
func fake(tb testing.TB, manifest any, blob http.HandlerFunc) string {
	tb.Helper()
	text, isText := manifest.(string)
	if !isText {
		raw, err := json.Marshal(manifest)
		require.NoError(tb, err)
		text = string(raw)
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/v2/org/llama/manifests/"):
			_, _ = io.WriteString(w, text)
		case strings.HasPrefix(r.URL.Path, "/v2/org/llama/blobs/") && blob != nil:
			blob(w, r)
		default:
			http.NotFound(w, r)
		}
	}))
	tb.Cleanup(srv.Close)
	return strings.TrimPrefix(srv.URL, "http://")
}

func first(tb testing.TB, addr string, env lifecycle.EnvVars) (source.Source, source.File) {
	tb.Helper()
	src := open(tb, "oci://"+addr+"/org/llama:v1", env)
	m, err := src.Resolve(tb.Context())
	require.NoError(tb, err)
	return src, m.Files[0]
}

func fail(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Retry-After", "7")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"errors":[{"code":%q,"message":"the message","detail":"canary"}]}`, code)
}

func TestReadErrors(t *testing.T) {
	t.Parallel()
	for code, c := range map[string]struct {
		status int
		kind   lifecycle.Kind
		hint   string
	}{
		"UNAUTHORIZED":    {401, lifecycle.Unauthenticated, "looked in this order"},
		"DENIED":          {403, lifecycle.AccessDenied, "grant pull on org/llama"},
		"BLOB_UNKNOWN":    {404, lifecycle.MissingFile, "push it again"},
		"RANGE":           {416, lifecycle.Corrupt, "it changed"},
		"TOOMANYREQUESTS": {429, lifecycle.Throttled, "slow down"},
		"UNAVAILABLE":     {503, lifecycle.Unavailable, "check the network"},
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			var n atomic.Int32
			src, f := first(t, fake(t, manifestOf(files{"a.bin": []byte(data)}), func(w http.ResponseWriter, _ *http.Request) {
				n.Add(1)
				fail(w, c.status, code)
			}), nil)
			_, err := src.Open(t.Context(), f, 2, 3)
			require.ErrorIs(t, err, c.kind)
			require.ErrorContains(t, err, "org/llama:v1: a.bin: ")
			require.ErrorContains(t, err, code+" the message")
			require.ErrorContains(t, err, c.hint)
			require.NotContains(t, dump(err), "canary")
			require.Equal(t, 7*time.Second, source.RetryAfter(err))
			require.EqualValues(t, 1, n.Load(), "a read is not retried here")
		})
	}
}

// A registry that says when to come back is not asked before, and whoever asked is told.
func TestManifestsObeyRetryAfter(t *testing.T) {
	t.Parallel()
	for status, kind := range map[int]lifecycle.Kind{429: lifecycle.Throttled, 503: lifecycle.Unavailable} {
		var n atomic.Int32
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			n.Add(1)
			fail(w, status, "TOOMANYREQUESTS")
		}))
		t.Cleanup(srv.Close)
		_, err := open(t, "oci://"+strings.TrimPrefix(srv.URL, "http://")+"/org/llama:v1", nil).Resolve(t.Context())
		require.ErrorIs(t, err, kind)
		require.Equal(t, 7*time.Second, source.RetryAfter(err))
		require.EqualValues(t, 1, n.Load())
	}
}

// Bytes that are not the ones asked for never pass as those.
func TestWrongBytes(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"ignored, and longer": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, data+"x") },
		"another range": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Range", "bytes 3-5/10")
			w.WriteHeader(http.StatusPartialContent)
			_, _ = io.WriteString(w, "345")
		},
		"cut": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Range", "bytes 2-4/10")
			w.WriteHeader(http.StatusPartialContent)
			_, _ = io.WriteString(w, "23")
			_ = http.NewResponseController(w).Flush()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			src, f := first(t, fake(t, manifestOf(files{"a.bin": []byte(data)}), answer), nil)
			body, err := src.Open(t.Context(), f, 2, 3)
			if err == nil {
				_, err = io.Copy(io.Discard, body)
				require.NoError(t, body.Close())
			}
			require.ErrorIs(t, err, lifecycle.Unavailable)
		})
	}
}

// A blob that lies elsewhere is read from there, by range, and the token stays here; the
// signed address is in no error.
func TestRedirect(t *testing.T) {
	t.Parallel()
	broken := atomic.Bool{}
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" || r.Header.Get("Referer") != "" || broken.Load() {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(data))
	}))
	t.Cleanup(elsewhere.Close)
	src, f := first(t, fake(t, manifestOf(files{"a.bin": []byte(data)}), func(w http.ResponseWriter, r *http.Request) {
		if _, p, _ := r.BasicAuth(); p != password {
			w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		http.Redirect(w, r, elsewhere.URL+"/x?sig=canary", http.StatusTemporaryRedirect)
	}), nil)
	_, err := src.Open(t.Context(), f, 2, 3)
	require.ErrorIs(t, err, lifecycle.Unauthenticated)

	addr, _, _ := strings.Cut(strings.TrimPrefix(fmt.Sprint(src), "oci://"), "/")
	src, f = first(t, addr, lifecycle.EnvVars{"DOCKER_AUTH_CONFIG": dockerConfig(addr, user, password)})
	body, err := src.Open(t.Context(), f, 2, 3)
	require.NoError(t, err)
	got, err := io.ReadAll(body)
	require.NoError(t, err)
	require.NoError(t, body.Close())
	require.Equal(t, "234", string(got))
	broken.Store(true)
	_, err = src.Open(t.Context(), f, 2, 3)
	require.ErrorIs(t, err, lifecycle.AccessDenied)
	require.NotContains(t, dump(err), "canary")
	elsewhere.Close()
	_, err = src.Open(t.Context(), f, 2, 3)
	require.ErrorIs(t, err, lifecycle.Unavailable)
	require.NotContains(t, dump(err), "canary")
}

// A token is fetched where the registry says, with the credentials, or without any.
func TestToken(t *testing.T) {
	t.Parallel()
	m, err := json.Marshal(manifestOf(files{"a.bin": []byte(data)}))
	require.NoError(t, err)
	var srv *httptest.Server
	srv = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, p, _ := r.BasicAuth()
		switch {
		case r.URL.Path == "/token" && p == "canary-wrong":
			fail(w, http.StatusUnauthorized, "UNAUTHORIZED")
		case r.URL.Path == "/token":
			_, _ = fmt.Fprintf(w, `{"token":"for-%s"}`, r.URL.Query().Get("scope"))
		case r.Header.Get("Authorization") == "Bearer for-repository:org/llama:pull":
			_, _ = w.Write(m)
		default:
			w.Header().Set("WWW-Authenticate", `Bearer realm="`+srv.URL+`/token",service="x",scope="repository:org/llama:pull"`)
			fail(w, http.StatusUnauthorized, "UNAUTHORIZED")
		}
	}))
	t.Cleanup(srv.Close)
	addr := strings.TrimPrefix(srv.URL, "http://")
	first(t, addr, nil)
	first(t, addr, lifecycle.EnvVars{"DOCKER_AUTH_CONFIG": dockerConfig(addr, user, password)})
	wrong := lifecycle.EnvVars{"DOCKER_AUTH_CONFIG": dockerConfig(addr, user, "canary-wrong")}
	_, err = open(t, "oci://"+addr+"/org/llama:v1", wrong).Resolve(t.Context())
	require.ErrorIs(t, err, lifecycle.Unauthenticated)
	require.ErrorContains(t, err, "DOCKER_AUTH_CONFIG (used)")
	require.NotContains(t, dump(err), "canary")
}

// What is no artifact of files says why, and how to push one.
func TestNoFiles(t *testing.T) {
	t.Parallel()
	layer := func(mediaType string, annotations map[string]string) any {
		return ocispec.Manifest{Layers: []ocispec.Descriptor{{
			MediaType: mediaType, Digest: digest.FromString(data), Size: 10, Annotations: annotations,
		}}}
	}
	title := map[string]string{"org.opencontainers.image.title": "weights"}
	for name, c := range map[string]struct {
		manifest any
		want     string
	}{
		"an image":         {layer("application/vnd.oci.image.layer.v1.tar+gzip", nil), "has no name"},
		"packed":           {layer("application/vnd.cncf.model.weight.v1.tar", map[string]string{"org.cncf.model.filepath": "w"}), "modctl build --raw"},
		"a packed folder":  {layer("application/vnd.oci.image.layer.v1.tar+gzip", map[string]string{"org.opencontainers.image.title": "w", "io.deis.oras.content.unpack": "true"}), "is packed"},
		"a page":           {"<html>", "is no manifest"},
		"no layers":        {"{}", "has no layers"},
		"an index of many": {ocispec.Index{Manifests: []ocispec.Descriptor{{Digest: digest.FromString("a")}, {Digest: digest.FromString("b")}}}, "it is an index of 2 artifacts"},
		"no digest":        {`{"layers":[{"digest":"x","annotations":{"org.opencontainers.image.title":"a"}}]}`, "has no digest"},
	} {
		_, err := open(t, "oci://"+fake(t, c.manifest, nil)+"/org/llama:v1", nil).Resolve(t.Context())
		require.ErrorIs(t, err, lifecycle.Invalid, name)
		require.ErrorContains(t, err, c.want, name)
	}
	src, f := first(t, fake(t, layer("application/vnd.oci.image.layer.v1.tar", title), nil), nil)
	require.Equal(t, "weights", f.Path, "oras gives that media type to every file")
	f.Version = "7"
	_, err := src.Open(t.Context(), f, 0, -1)
	require.ErrorIs(t, err, lifecycle.Invalid)
}

// A manifest that does not have the digest asked for is damaged.
func TestWrongManifest(t *testing.T) {
	t.Parallel()
	addr := fake(t, manifestOf(files{"a": nil}), nil)
	_, err := open(t, "oci://"+addr+"/org/llama@"+digest.FromString("other").String(), nil).Resolve(t.Context())
	require.ErrorIs(t, err, lifecycle.Corrupt)
}

// Whatever a registry answers, there is a manifest or an error of a kind.
func FuzzManifest(f *testing.F) {
	good, err := json.Marshal(manifestOf(files{"a": []byte(data)}))
	require.NoError(f, err)
	f.Add(string(good))
	f.Add(`{"layers":[{"size":-1,"digest":"sha256:","annotations":{"org.cncf.model.filepath":"../a"}}]}`)
	f.Add(`{"manifests":[{"digest":"sha256:"}]}`)
	f.Fuzz(func(t *testing.T, manifest string) {
		m, err := open(t, "oci://"+fake(t, manifest, nil)+"/org/llama:v1", nil).Resolve(t.Context())
		if err != nil {
			require.NotEqual(t, lifecycle.Unknown, lifecycle.KindOf(err))
			return
		}
		for _, file := range m.Files {
			require.NoError(t, source.CheckPath(file.Path))
		}
	})
}
