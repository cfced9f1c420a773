package source_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
)

// opened notes what a Mux gives to a driver.
type opened struct {
	memory
	url  *url.URL
	opts *source.OpenOptions
}

func note(_ context.Context, u *url.URL, o *source.OpenOptions) (source.Source, error) {
	return &opened{url: u, opts: o}, nil
}

func newMux(schemes ...string) *source.Mux {
	var m source.Mux
	for _, s := range schemes {
		m.Handle(s, note)
	}
	return &m
}

func open(t *testing.T, m *source.Mux, uri string) *opened {
	t.Helper()
	src, err := m.Open(t.Context(), uri)
	require.NoError(t, err)
	return src.(*opened)
}

func TestMuxDispatches(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for uri, want := range map[string]url.URL{
		"s3://bucket/a/b":           {Scheme: "s3", Host: "bucket", Path: "/a/b"},
		"S3://bucket":               {Scheme: "s3", Host: "bucket"},
		"s3://anonymous@bucket/a":   {Scheme: "s3", User: url.User("anonymous"), Host: "bucket", Path: "/a"},
		"s3://id:key@bucket/a":      {Scheme: "s3", User: url.UserPassword("id", "key"), Host: "bucket", Path: "/a"},
		"s3://b/100%/my model#1?":   {Scheme: "s3", Host: "b", Path: "/100%/my model#1?"},
		"s3://b/a%20b":              {Scheme: "s3", Host: "b", Path: "/a%20b"},
		"hf://org/name@main":        {Scheme: "hf", Host: "org", Path: "/name@main"},
		"org/name":                  {Scheme: "hf", Host: "org", Path: "/name"},
		"org/name@refs/pr/1":        {Scheme: "hf", Host: "org", Path: "/name@refs/pr/1"},
		"org/name@v1.0+cu128":       {Scheme: "hf", Host: "org", Path: "/name@v1.0+cu128"},
		"org/name@a#b=c,d(e)@ü":     {Scheme: "hf", Host: "org", Path: "/name@a#b=c,d(e)@ü"},
		"org/name@a b":              {Scheme: "file", Path: absolute(t, "org/name@a b")},
		"gpt2@v1.0+cu128":           {Scheme: "hf", Host: "gpt2@v1.0+cu128"},
		"gpt2":                      {Scheme: "hf", Host: "gpt2"},
		"file:///a%20b":             {Scheme: "file", Path: "/a b"},
		dir:                         {Scheme: "file", Path: dir},
		"sourcetest":                {Scheme: "file", Path: absolute(t, "sourcetest")},
		"./no/such":                 {Scheme: "file", Path: absolute(t, "no/such")},
		"/no/such":                  {Scheme: "file", Path: "/no/such"},
		"a/b/c":                     {Scheme: "file", Path: absolute(t, "a/b/c")},
		"mux_test.go":               {Scheme: "file", Path: absolute(t, "mux_test.go")},
		"sourcetest/../../source/":  {Scheme: "file", Path: absolute(t, ".")},
		"s3://bucket/a/../b//c/./d": {Scheme: "s3", Host: "bucket", Path: "/a/../b//c/./d"},
	} {
		got := open(t, newMux("s3", "hf", "file"), uri).url
		require.Equal(t, want, *got, uri)
	}
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	abs, err := filepath.Abs(path)
	require.NoError(t, err)
	return abs
}

func TestMuxRefuses(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]string{
		"":                      "no model source is given",
		"  ":                    "no model source is given",
		"s3:/bucket/a":          "write s3://…",
		"s3:bucket":             "write s3://…",
		"hf://org/name":         "source/hub",
		"no-org/no-name":        `there is no directory "no-org/no-name" here`,
		"gs://bucket/x":         "source/gcs",
		"abfss://c@a/x":         "source/azure\" (a module of its own)",
		"azure://c/x":           "source/azure\" (a module of its own)",
		"https://host/x":        "source/web",
		"s3://bucket/x":         `import "github.com/spinup-llm/spinup/source/s3" and call mux.Handle("s3", s3.Opener(nil))`,
		"weird://x":             `known schemes are file; register others with mux.Handle("weird", …)`,
		"file://%zz":            "escape special characters",
		"https://u:p@h/?sig=s3": "https://[redacted]@h/?[redacted]",
	} {
		_, err := newMux("file").Open(t.Context(), uri)
		require.ErrorIs(t, err, lifecycle.Invalid, uri)
		require.ErrorContains(t, err, want)
	}
}

func TestHandlePanics(t *testing.T) {
	t.Parallel()
	m := newMux("s3")
	require.Panics(t, func() { m.Handle("s3", note) })
	require.Panics(t, func() { m.Handle("gs", nil) })
}

// The last environment given wins, an empty value hides, and the process comes last.
func TestWithEnv(t *testing.T) {
	t.Setenv("SPINUP_A", "process")
	t.Setenv("SPINUP_B", "process")
	t.Setenv("SPINUP_C", "process")
	base := newMux("s3")
	app := base.WithEnv(lifecycle.EnvVars{"SPINUP_A": "app", "SPINUP_B": "app", "SPINUP_D": "app"})
	cfg := app.WithEnv(lifecycle.EnvVars{"SPINUP_A": "config", "SPINUP_D": ""})

	env := func(m *source.Mux) (all []string) {
		o := open(t, m, "s3://b").opts
		for _, k := range []string{"A", "B", "C", "D"} {
			all = append(all, o.Env("SPINUP_"+k))
		}
		return all
	}
	require.Equal(t, []string{"config", "app", "process", ""}, env(cfg))
	require.Equal(t, []string{"app", "app", "process", "app"}, env(app))
	require.Equal(t, []string{"process", "process", "process", ""}, env(base))
	require.Equal(t, "process", (*source.OpenOptions)(nil).Env("SPINUP_C"))
}

// What is registered later on the one is unknown to the other.
func TestWithEnvCopies(t *testing.T) {
	t.Parallel()
	base := newMux("file")
	c := base.WithEnv(nil)
	c.Handle("s3", note)
	_, err := base.Open(t.Context(), "s3://b")
	require.ErrorIs(t, err, lifecycle.Invalid)
	require.NotNil(t, open(t, c, "s3://b"))
}

func TestMuxShowsNoEnvironment(t *testing.T) {
	t.Parallel()
	const canary = "wJalrXUtnFEMI-canary"
	m := newMux("s3").WithEnv(lifecycle.EnvVars{"AWS_SECRET_ACCESS_KEY": canary})
	o := open(t, m, "s3://b").opts
	require.Equal(t, canary, o.Env("AWS_SECRET_ACCESS_KEY"))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		require.NotContains(t, fmt.Sprintf(verb, m), canary)
		require.NotContains(t, fmt.Sprintf(verb, *m), canary)
		require.NotContains(t, fmt.Sprintf(verb, o), canary)
	}
}

func TestMuxGivesClientAndLogger(t *testing.T) {
	t.Parallel()
	m := newMux("s3")
	m.HTTP, m.Logger = &http.Client{}, slog.New(slog.DiscardHandler)
	o := open(t, m.WithEnv(nil), "s3://b").opts
	require.Same(t, m.HTTP, o.HTTP)
	require.Same(t, m.Logger, o.Logger)
}

func TestRedact(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]string{
		"s3://bucket/a@b":           "s3://bucket/a@b",
		"s3://anonymous@bucket/a":   "s3://anonymous@bucket/a",
		"s3://id:key@bucket/a":      "s3://[redacted]@bucket/a",
		"s3://id:k/e/y@bucket/a":    "s3://[redacted]@bucket/a",
		"s3://id:k/e/y":             "s3://[redacted]",
		"https://host:8443/a?sig=x": "https://host:8443/a?[redacted]",
		"https://tok@host/a":        "https://[redacted]@host/a",
		"http://[::1]:80/a":         "http://[::1]:80/a",
		"hf://org/name@main":        "hf://org/name@main",
		"org/name@main":             "org/name@main",
		"/a/path":                   "/a/path",
	} {
		require.Equal(t, want, source.Redact(uri))
	}
}

// However a URI is written, an error about it never holds the key that stands before "@".
func FuzzOpenRedacts(f *testing.F) {
	f.Add("s3", "bucket/a")
	f.Add("https", "h/%zz?a@b")
	f.Add("hf", "org/name@main")
	f.Add("", "")
	f.Fuzz(func(t *testing.T, scheme, rest string) {
		const canary = "wJalrXUtnFEMI/canary"
		_, err := newMux().Open(t.Context(), scheme+"://id:"+canary+"@"+rest)
		require.ErrorIs(t, err, lifecycle.Invalid)
		require.NotContains(t, err.Error(), "canary")
	})
}

func ExampleMux() {
	dir, _ := os.MkdirTemp("", "model")
	defer os.RemoveAll(dir)

	var mux source.Mux
	mux.Handle("file", func(_ context.Context, u *url.URL, o *source.OpenOptions) (source.Source, error) {
		fmt.Println(u.Scheme, u.Path == dir, o.Env("HF_TOKEN"))
		return nil, nil
	})
	perModel := mux.WithEnv(lifecycle.EnvVars{"HF_TOKEN": "of this model"})
	_, _ = perModel.Open(context.Background(), dir)
	_, err := perModel.Open(context.Background(), "gs://bucket/model")
	fmt.Println(err)
	// Output:
	// file true of this model
	// source.Open gs://bucket/model: invalid: no driver is registered for "gs://" (import "github.com/spinup-llm/spinup/source/gcs" and call mux.Handle("gs", gcs.Opener(nil)))
}
