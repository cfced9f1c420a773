package gcs_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/spinup-llm/spinup/download"
	"github.com/spinup-llm/spinup/internal/gcstest"
	"github.com/spinup-llm/spinup/internal/srctest"
	"github.com/spinup-llm/spinup/source"
)

func isMedia(r *http.Request) bool { return r.URL.Query().Get("alt") == media }

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
			srctest.Busy(t, srctest.Case{Server: fake, Is: c.busy, Fetch: fetch, Open: func(tb testing.TB, client *http.Client) source.Source {
				tb.Helper()
				return openWith(tb, c.uri, fake.Env(), client)
			}})
		})
	}
}

// What is compressed on its way, which nobody asked for, never passes as the bytes.
func TestPacked(t *testing.T) {
	t.Parallel()
	fake := gcstest.NewFake(t)
	fake.Put("models", "llama/a", []byte("0123456789"))
	srctest.Packed(t, srctest.Case{Server: fake, Is: isMedia, Fetch: fetch, Open: func(tb testing.TB, client *http.Client) source.Source {
		tb.Helper()
		return openWith(tb, "gs://models/llama", fake.Env(), client)
	}})
}
