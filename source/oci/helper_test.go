package oci_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"testing"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/source/oci"
	"github.com/stretchr/testify/require"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
)

type files map[string][]byte

// tryOpen opens uri with nothing but env.
func tryOpen(tb testing.TB, uri string, env lifecycle.EnvVars) (source.Source, error) {
	tb.Helper()
	var mux source.Mux
	opener := oci.Opener(nil)
	mux.Handle("oci", func(ctx context.Context, u *url.URL, o *source.OpenOptions) (source.Source, error) {
		o.Getenv = func(key string) string { return env[key] }
		return opener(ctx, u, o)
	})
	return mux.Open(tb.Context(), uri)
}

func open(tb testing.TB, uri string, env lifecycle.EnvVars) source.Source {
	tb.Helper()
	src, err := tryOpen(tb, uri, env)
	require.NoError(tb, err)
	return src
}

func readAll(tb testing.TB, src source.Source, f source.File) string {
	tb.Helper()
	body, err := src.Open(tb.Context(), f, 0, -1)
	require.NoError(tb, err)
	data, err := io.ReadAll(body)
	require.NoError(tb, err)
	require.NoError(tb, body.Close())
	return string(data)
}

// dump formats v in every way that a log may.
func dump(v any) string { return fmt.Sprintf("%v %+v %#v %s %q", v, v, v, v, v) }

func dockerConfig(registry, user, password string) string {
	return fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, registry, base64.StdEncoding.EncodeToString([]byte(user+":"+password)))
}

// repository is the client that pushes.
func repository(tb testing.TB, addr, user, password, name string) *remote.Repository {
	tb.Helper()
	repo, err := remote.NewRepository(addr + "/" + name)
	require.NoError(tb, err)
	repo.PlainHTTP = true
	c := &auth.Client{Client: &http.Client{Transport: &http.Transport{}}, Cache: auth.NewCache()}
	if user != "" {
		c.Credential = auth.StaticCredential(addr, auth.Credential{Username: user, Password: password})
	}
	repo.Client = c
	return repo
}

// push pushes content as raw layers of ModelPack, as its tools do.
func push(tb testing.TB, addr, user, password, name, tag string, content files) {
	tb.Helper()
	repo := repository(tb, addr, user, password, name)
	m := manifestOf(content)
	blobs := slices.Collect(maps.Values(content))
	for _, data := range append(blobs, []byte("{}")) {
		d := ocispec.Descriptor{MediaType: "application/octet-stream", Digest: digest.FromBytes(data), Size: int64(len(data))}
		if exists, err := repo.Blobs().Exists(tb.Context(), d); err != nil || !exists {
			require.NoError(tb, repo.Blobs().Push(tb.Context(), d, bytes.NewReader(data)))
		}
	}
	data, err := json.Marshal(m)
	require.NoError(tb, err)
	d := ocispec.Descriptor{MediaType: m.MediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}
	require.NoError(tb, repo.Manifests().PushReference(tb.Context(), d, bytes.NewReader(data), tag))
}

func manifestOf(content files) ocispec.Manifest {
	m := ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
		ArtifactType: "application/vnd.cncf.model.manifest.v1+json",
		Config: ocispec.Descriptor{
			MediaType: "application/vnd.cncf.model.config.v1+json", Digest: digest.FromString("{}"), Size: 2,
		},
	}
	for _, path := range slices.Sorted(maps.Keys(content)) {
		m.Layers = append(m.Layers, ocispec.Descriptor{
			MediaType: "application/vnd.cncf.model.weight.v1.raw", Digest: digest.FromBytes(content[path]), Size: int64(len(content[path])),
			Annotations: map[string]string{"org.cncf.model.filepath": path},
		})
	}
	return m
}
