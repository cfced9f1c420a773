package gcs_test

import (
	"crypto/md5"
	"testing"

	"github.com/spinup-llm/spinup/internal/gcstest"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
)

// An object that the URI names exactly is a repository of one file.
func TestSingleObject(t *testing.T) {
	t.Parallel()
	fake := gcstest.NewFake(t)
	fake.Put("models", "cache/compile.tar", []byte("data"))
	const uri = "gs://models/cache/compile.tar"
	src := open(t, uri, fake.Env())
	m, err := src.Resolve(t.Context())
	require.NoError(t, err)
	require.Len(t, m.Files, 1)
	require.Equal(t, "compile.tar", m.Files[0].Path)
	require.Equal(t, int64(4), m.Files[0].Size)
	require.Equal(t, "crc32c", m.Files[0].Digest.Algorithm)
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
	fake := gcstest.NewFake(t)
	fake.Put("models", "llama/", nil)
	fake.Put("models", "llama/sub/", nil)
	_, err := open(t, "gs://models/llama", fake.Env()).Resolve(t.Context())
	require.ErrorIs(t, err, lifecycle.NotFound, "markers are no files")
	fake.Put("models", "llama/sub/a", nil)
	require.Len(t, resolve(t, fake.Env()).Files, 1)
	fake.Put("models", "llama/sub/", []byte("no marker"))
	_, err = open(t, "gs://models/llama", fake.Env()).Resolve(t.Context())
	require.ErrorIs(t, err, lifecycle.Invalid)
	require.ErrorContains(t, err, `"sub/"`)
}

// A folder takes one request for each page, and one that is missing adds its neighbours.
func TestRequests(t *testing.T) {
	t.Parallel()
	fake := gcstest.NewFake(t)
	fake.PageSize = 2
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		fake.Put("models", "llama/"+name, []byte(name))
	}
	m := resolve(t, fake.Env())
	require.Len(t, m.Files, 5)
	require.Len(t, fake.Requests(), 3)
}

// Where there is no CRC32C there may be an MD5, and never a digest of another file.
func TestDigests(t *testing.T) {
	t.Parallel()
	fake := gcstest.NewFake(t)
	sum := md5.Sum([]byte("data"))
	fake.PutObject("models", "llama/md5", gcstest.Object{Data: []byte("data"), NoCRC: true, MD5: sum[:]})
	fake.PutObject("models", "llama/none", gcstest.Object{Data: []byte("data"), NoCRC: true})
	fake.PutObject("models", "llama/crc", gcstest.Object{Data: []byte("hello")})
	var got []string
	for _, f := range resolve(t, fake.Env()).Files {
		got = append(got, f.Path+" "+f.Digest.String())
	}
	require.Equal(t, []string{"crc crc32c:9a71bb4c", "md5 md5:8d777f385d3dfec8815d20f7496026dc", "none "}, got)
}

// Nobody unpacks: an object that is stored compressed is fetched as it is.
func TestNoCompression(t *testing.T) {
	t.Parallel()
	fake := gcstest.NewFake(t)
	fake.PutObject("models", "llama/a.gz", gcstest.Object{Data: []byte("\x1f\x8bnot really"), Headers: map[string]string{"Content-Encoding": "gzip"}})
	src := open(t, "gs://models/llama", fake.Env())
	m, err := src.Resolve(t.Context())
	require.NoError(t, err)
	require.Equal(t, "\x1f\x8bnot really", readAll(t, src, m.Files[0]))
	last := fake.Requests()[len(fake.Requests())-1]
	require.Equal(t, "gzip", last.Header.Get("Accept-Encoding"), "or the service would unpack it")
}

func TestNearest(t *testing.T) {
	t.Parallel()
	fake := gcstest.NewFake(t)
	fake.Put("models", "llama/8b/config.json", nil)
	fake.Put("models", "mistral/config.json", nil)
	fake.Put("data", "x", nil)
	for uri, want := range map[string]string{
		"gs://models/lama":                `in gs://models did you mean "llama"?`,
		"gs://models/lama/8b/x":           `in gs://models did you mean "llama"?`,
		"gs://models/llama/7b":            `in gs://models/llama did you mean "8b"?`,
		"gs://models/llama/8b/confg.json": `in gs://models/llama/8b did you mean "config.json"?`,
		"gs://anonymous@models/zzz":       `in gs://anonymous@models there are "llama", "mistral"`,
		"gs://model/llama":                `did you mean "models"?`,
		"gs://somewhere/llama":            `there are "data", "models"`,
		"gs://anonymous@model/llama":      "check the name of the bucket",
	} {
		_, err := open(t, uri, fake.Env()).Resolve(t.Context())
		require.ErrorIs(t, err, lifecycle.NotFound, uri)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, "gs://BUCKET/PREFIX")
	}
}
