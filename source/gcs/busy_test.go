package gcs_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/spinup-llm/spinup/download"
	"github.com/spinup-llm/spinup/internal/busytest"
	"github.com/spinup-llm/spinup/internal/gcstest"
	"github.com/spinup-llm/spinup/source"
)

// fetch downloads with a manager of its own.
func fetch(ctx context.Context, src source.Source, dir string) (*source.Manifest, error) {
	return new(download.Manager).Fetch(ctx, src, dir)
}

// Whichever request a service is too busy for, the model comes after the pause that is asked for.
func TestBusy(t *testing.T) {
	t.Parallel()
	fake := gcstest.NewFake(t)
	fake.PageSize = 1
	fake.Put("models", "llama/a", []byte("data"))
	fake.Put("models", "llama/b", []byte("{}"))
	isMedia := func(r *http.Request) bool { return r.URL.Query().Get("alt") == media }
	for name, c := range map[string]struct {
		uri  string
		busy func(*http.Request) bool
	}{
		"list":        {"gs://models/llama", func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/o") }},
		"second page": {"gs://models/llama", func(r *http.Request) bool { return r.URL.Query().Get("pageToken") != "" }},
		"object":      {"gs://models/llama/a", func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/a") && !isMedia(r) }},
		"bytes":       {"gs://models/llama", isMedia},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			busytest.Run(t, busytest.Case{Server: fake, Busy: c.busy, Fetch: fetch, Open: func(tb testing.TB, client *http.Client) source.Source {
				tb.Helper()
				return openWith(tb, c.uri, fake.Env(), client)
			}})
		})
	}
}
