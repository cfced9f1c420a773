package oci_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/spinup-llm/spinup/internal/srctest"
	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/source/oci"
	"github.com/stretchr/testify/require"
)

// tokens is a host that no client asks DNS for.
const tokens = "203.0.113.1"

// guarded answers for org/llama, which is an index of one artifact, to whoever has a token of its
// service, and sends readers of blobs elsewhere.
func guarded(tb testing.TB) http.Handler {
	tb.Helper()
	artifact, err := json.Marshal(manifestOf(files{"a.bin": []byte(data)}))
	require.NoError(tb, err)
	index, err := json.Marshal(ocispec.Index{Manifests: []ocispec.Descriptor{{Digest: digest.FromBytes(artifact)}}})
	require.NoError(tb, err)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Host == "cdn.example":
			http.ServeContent(w, r, "", time.Time{}, strings.NewReader(data))
		case r.URL.Host == tokens:
			_, _ = w.Write([]byte(`{"token":"good"}`))
		case r.Header.Get("Authorization") != "Bearer good":
			w.Header().Set("WWW-Authenticate", `Bearer realm="https://`+tokens+`/token",service="x"`)
			fail(w, http.StatusUnauthorized, "UNAUTHORIZED")
		case strings.HasSuffix(r.URL.Path, "/manifests/v1"):
			_, _ = w.Write(index)
		case strings.Contains(r.URL.Path, "/manifests/"):
			_, _ = w.Write(artifact)
		default:
			http.Redirect(w, r, fmt.Sprintf("https://cdn.example/%s?sig=canary", digest.FromString(data)), http.StatusTemporaryRedirect)
		}
	})
}

// openWith opens it with nothing but the client.
func openWith(tb testing.TB, client *http.Client) source.Source {
	tb.Helper()
	mux := source.Mux{HTTP: client}
	mux.Handle("oci", oci.Opener(nil))
	src, err := mux.Open(tb.Context(), "oci://anonymous@registry.example/org/llama:v1")
	require.NoError(tb, err)
	return src
}

// at reports whether a request is for a host, and has a part in its path.
func at(host, part string) func(*http.Request) bool {
	return func(r *http.Request) bool { return r.URL.Host == host && strings.Contains(r.URL.Path, part) }
}

// Whichever request a registry is too busy for, the model comes after the pause that is asked for.
func TestBusy(t *testing.T) {
	t.Parallel()
	for name, busy := range map[string]func(*http.Request) bool{
		"index": at("registry.example", "/manifests/v1"), "manifest": at("registry.example", "/manifests/sha256:"),
		"token": at(tokens, "/token"), "blob": at("registry.example", "/blobs/"), "elsewhere": at("cdn.example", "/sha256:"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srctest.Busy(t, srctest.Case{Server: guarded(t), Is: busy, Open: func(tb testing.TB, client *http.Client) source.Source {
				tb.Helper()
				return openWith(tb, client)
			}})
		})
	}
}

// What is compressed on its way, which nobody asked for, never passes as the bytes.
func TestPacked(t *testing.T) {
	t.Parallel()
	srctest.Packed(t, srctest.Case{Server: guarded(t), Is: at("cdn.example", "/sha256:"), Open: func(tb testing.TB, client *http.Client) source.Source {
		tb.Helper()
		return openWith(tb, client)
	}})
}
