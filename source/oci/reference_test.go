package oci_test

import (
	"strings"
	"testing"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

func TestMalformed(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]string{
		"oci://":                           "names no registry",
		"oci:///llama":                     "names no registry",
		"oci://a_b/llama":                  "names no registry",
		"oci://ghcr.io":                    "names no repository",
		"oci://ghcr.io/Org/llama":          "malformed",
		"oci://ghcr.io/org/llama:-":        "malformed",
		"oci://ghcr.io/org/llama@sha256:1": "malformed",
		"oci://ghcr.io/org//llama":         "malformed",
		"oci://ghcr.io/../llama":           "malformed",
		"oci://ghcr.io/org/llama?x=1":      "it has a query",
		"oci://id:canary@ghcr.io/org/x":    "credentials do not belong into a URI",
		"oci://canary@ghcr.io/org/x":       "credentials do not belong into a URI",
	} {
		_, err := tryOpen(t, uri, nil)
		require.ErrorIs(t, err, lifecycle.Invalid, uri)
		require.ErrorContains(t, err, want, uri)
		require.ErrorContains(t, err, "oci://")
		require.NotContains(t, dump(err), "canary")
	}
}

// Whatever stands in a URI, opening it neither panics nor shows what may be a password.
func FuzzURI(f *testing.F) {
	f.Add("ghcr.io/org/llama:v1")
	f.Add("anonymous@[::1]:5000/a@sha256:00")
	f.Add("a:1/../?#%zz")
	f.Fuzz(func(t *testing.T, rest string) {
		if strings.Contains(rest, "canary") {
			return
		}
		if _, err := tryOpen(t, "oci://"+rest, nil); err != nil {
			require.ErrorIs(t, err, lifecycle.Invalid)
		}
		_, err := tryOpen(t, "oci://id:canary@"+rest, nil)
		require.ErrorIs(t, err, lifecycle.Invalid)
		require.NotContains(t, err.Error(), "canary")
	})
}
