package s3_test

import (
	"io"
	"testing"

	"github.com/spinup-llm/spinup/internal/s3test"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
)

// resolve lists s3://models/llama.
func resolve(tb testing.TB, env lifecycle.EnvVars) *source.Manifest {
	tb.Helper()
	m, err := open(tb, "s3://models/llama", env).Resolve(tb.Context())
	require.NoError(tb, err)
	return m
}

// told asks for the digest of a file.
func told(tb testing.TB, src source.Source, f source.File) source.Digest {
	tb.Helper()
	d, err := src.(source.Digester).Digest(tb.Context(), f)
	require.NoError(tb, err)
	return d
}

func readAll(tb testing.TB, src source.Source, f source.File) string {
	tb.Helper()
	body, err := src.Open(tb.Context(), f, 0, -1)
	require.NoError(tb, err)
	defer func() { require.NoError(tb, body.Close()) }()
	data, err := io.ReadAll(body)
	require.NoError(tb, err)
	return string(data)
}

// An object that the URI names exactly is a repository of one file.
func TestSingleObject(t *testing.T) {
	t.Parallel()
	fake := s3test.NewFake(t)
	fake.Put("models", "cache/compile.tar", []byte("data"))
	const uri = "s3://models/cache/compile.tar"
	src := open(t, uri, fake.Env())
	m, err := src.Resolve(t.Context())
	require.NoError(t, err)
	require.Len(t, m.Files, 1)
	require.Equal(t, "compile.tar", m.Files[0].Path)
	require.Equal(t, int64(4), m.Files[0].Size)
	require.Equal(t, "md5", m.Files[0].Digest.Algorithm)
	require.Equal(t, "data", readAll(t, src, m.Files[0]))
	u, err := src.(source.Locator).Locate(m.Files[0])
	require.NoError(t, err)
	require.Equal(t, uri, u.String())

	require.Equal(t, "data", readAll(t, open(t, uri, fake.Env()), m.Files[0]), "also before Resolve")

	_, err = open(t, uri+"/", fake.Env()).Resolve(t.Context())
	require.ErrorIs(t, err, lifecycle.NotFound, "a slash means a folder")

	fake.Put("models", "cache/compile.tar/inner", []byte("folder"))
	m, err = src.Resolve(t.Context())
	require.NoError(t, err)
	require.Equal(t, "inner", m.Files[0].Path, "a folder of that name comes first")
	require.Equal(t, "folder", readAll(t, src, m.Files[0]))
}

func TestFolderMarkers(t *testing.T) {
	t.Parallel()
	fake := s3test.NewFake(t)
	fake.Put("models", "llama/", nil)
	fake.Put("models", "llama/sub/", nil)
	_, err := open(t, "s3://models/llama", fake.Env()).Resolve(t.Context())
	require.ErrorIs(t, err, lifecycle.NotFound, "markers are no files")
	fake.Put("models", "llama/sub/a", nil)
	require.Len(t, resolve(t, fake.Env()).Files, 1)
	fake.Put("models", "llama/sub/", []byte("no marker"))
	_, err = open(t, "s3://models/llama", fake.Env()).Resolve(t.Context())
	require.ErrorIs(t, err, lifecycle.Invalid)
	require.ErrorContains(t, err, `"sub/"`)
}

// A bucket can hold a file and a folder of one name, a disk cannot.
func TestFileAndFolder(t *testing.T) {
	t.Parallel()
	fake := s3test.NewFake(t)
	fake.Put("models", "llama/a", nil)
	fake.Put("models", "llama/a/b", nil)
	_, err := open(t, "s3://models/llama", fake.Env()).Resolve(t.Context())
	require.ErrorIs(t, err, lifecycle.Invalid)
	require.ErrorContains(t, err, `folder "a" is a file as well`)
}

func TestNearest(t *testing.T) {
	t.Parallel()
	fake := s3test.NewFake(t)
	fake.Put("models", "llama/8b/config.json", nil)
	fake.Put("models", "mistral/config.json", nil)
	fake.Put("data", "x", nil)
	for uri, want := range map[string]string{
		"s3://models/lama":                  `in s3://models did you mean "llama"?`,
		"s3://models/lama/8b/x":             `in s3://models did you mean "llama"?`,
		"s3://models/llama/8":               `in s3://models/llama did you mean "8b"?`,
		"s3://models/llama/7b":              `in s3://models/llama did you mean "8b"?`,
		"s3://models/llama/8b/confg.json":   `in s3://models/llama/8b did you mean "config.json"?`,
		"s3://anonymous@models/zzz":         `in s3://anonymous@models there are "llama", "mistral"`,
		"s3://model/llama":                  `did you mean "models"?`,
		"s3://somewhere/llama":              `there are "data", "models"`,
		"s3://anonymous@model/llama":        "check the name of the bucket",
		"s3://models/llama/8b/config.json/": `in s3://models/llama/8b did you mean "config.json"?`,
	} {
		_, err := open(t, uri, fake.Env()).Resolve(t.Context())
		require.ErrorIs(t, err, lifecycle.NotFound, uri)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, "s3://BUCKET/PREFIX")
	}
}
