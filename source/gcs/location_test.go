package gcs_test

import (
	"strings"
	"testing"

	"github.com/spinup-llm/spinup/internal/gcstest"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
)

func TestMalformed(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]string{
		"gs://":                       "names no bucket",
		"gs:///llama":                 "names no bucket",
		"gs://127.0.0.1:9000/b/llama": "STORAGE_EMULATOR_HOST=http://HOST:PORT",
		"gs://b":                      "no name of a bucket",
		"gs://-models/llama":          "no name of a bucket",
		"gs://Models/llama":           "no name of a bucket",
		"gs://models/a?generation=1":  "it has a query",
		"gs://models//llama":          "no plain path",
		"gs://models/a//b":            "no plain path",
		"gs://models/a/../b":          "no plain path",
		"gs://models/llama//":         "no plain path",
		"gs://id:key@models/llama":    "credentials do not belong into a URI",
		"gs://id@models/llama":        "credentials do not belong into a URI",
		"gs://anonymous:x@models/a":   "credentials do not belong into a URI",
	} {
		_, err := tryOpen(t, uri, nil)
		require.ErrorIs(t, err, lifecycle.Invalid, uri)
		require.ErrorContains(t, err, want, uri)
		require.ErrorContains(t, err, "gs://", "the right form is told")
		require.NotContains(t, err.Error(), "key@")
	}
}

// What the URI says is what is asked for, literally, and the manifest has its canonical form.
func TestCanonical(t *testing.T) {
	t.Parallel()
	fake := gcstest.NewFake(t)
	for _, key := range []string{"a", "x y/a", "100%/a", "a%20b/a", "ü#/a"} {
		fake.Put("models", key, nil)
	}
	for uri, want := range map[string]string{
		"gs://models":                  "gs://models",
		"gs://models/":                 "gs://models",
		"GS://anonymous@models/x y":    "gs://models/x y",
		"gs://models/100%/":            "gs://models/100%",
		"gs://models/a%20b":            "gs://models/a%20b",
		"gs://anonymous@models/ü#/a":   "gs://models/ü#/a",
		"gs://anonymous@models/100%/a": "gs://models/100%/a",
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
		src, err := tryOpen(t, "gs://"+rest, nil)
		if err == nil {
			u, locateErr := src.(source.Locator).Locate(source.File{Path: "x"})
			require.NoError(t, locateErr)
			require.Nil(t, u.User)
			return
		}
		require.ErrorIs(t, err, lifecycle.Invalid)
		_, err = tryOpen(t, "gs://id:canary@"+rest, nil)
		require.NotContains(t, err.Error(), "canary")
	})
}
