package s3_test

import (
	"strings"
	"testing"

	"github.com/spinup-llm/spinup/internal/s3test"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
)

func TestMalformed(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]string{
		"s3://":                       "names no bucket",
		"s3:///llama":                 "names no bucket",
		"s3://127.0.0.1:9000/b/llama": "AWS_ENDPOINT_URL=http://HOST:PORT",
		"s3://b":                      "no name of a bucket",
		"s3://-models/llama":          "no name of a bucket",
		"s3://mod els/llama":          "no name of a bucket",
		"s3://models/a?versionId=1":   "it has a query",
		"s3://models//llama":          "no plain path",
		"s3://models/a//b":            "no plain path",
		"s3://models/a/../b":          "no plain path",
		"s3://models/llama//":         "no plain path",
		"s3://id:key@models/llama":    "keys do not belong into a URI",
		"s3://id@models/llama":        "keys do not belong into a URI",
		"s3://anonymous:x@models/a":   "keys do not belong into a URI",
	} {
		_, err := tryOpen(t, uri, nil)
		require.ErrorIs(t, err, lifecycle.Invalid, uri)
		require.ErrorContains(t, err, want, uri)
		require.ErrorContains(t, err, "s3://", "the right form is told")
		require.NotContains(t, err.Error(), "key@")
	}
}

// What the URI says is what is asked for, literally, and the manifest has its canonical form.
func TestCanonical(t *testing.T) {
	t.Parallel()
	fake := s3test.NewFake(t)
	for _, key := range []string{"a", "x y/a", "100%/a", "a%20b/a", "ü#/a"} {
		fake.Put("models", key, nil)
	}
	for uri, want := range map[string]string{
		"s3://models":                  "s3://models",
		"s3://models/":                 "s3://models",
		"S3://anonymous@models/x y":    "s3://models/x y",
		"s3://models/100%/":            "s3://models/100%",
		"s3://models/a%20b":            "s3://models/a%20b",
		"s3://anonymous@models/ü#/a":   "s3://models/ü#/a",
		"s3://anonymous@models/100%/a": "s3://models/100%/a",
	} {
		m, err := open(t, uri, fake.Env()).Resolve(t.Context())
		require.NoError(t, err, uri)
		require.Equal(t, want, m.URI)
	}
}

// Whatever stands in a URI, opening it neither panics nor shows what may be a key.
func FuzzURI(f *testing.F) {
	f.Add("models/llama")
	f.Add("anonymous@models//x")
	f.Add("a:1/../?#%zz")
	f.Fuzz(func(t *testing.T, rest string) {
		if strings.Contains(rest, "canary") {
			return
		}
		src, err := tryOpen(t, "s3://"+rest, nil)
		if err == nil {
			u, locateErr := src.(source.Locator).Locate(source.File{Path: "x"})
			require.NoError(t, locateErr)
			require.Nil(t, u.User)
			return
		}
		require.ErrorIs(t, err, lifecycle.Invalid)
		_, err = tryOpen(t, "s3://id:canary@"+rest, nil)
		require.NotContains(t, err.Error(), "canary")
	})
}
