package gcs_test

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spinup-llm/spinup/internal/gcstest"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
)

// The requests that a driver sends.
const (
	lists = "list"
	media = "media"
)

// answering returns a fake that answers everything of one kind in the same way.
func answering(t *testing.T, kind string, answer http.HandlerFunc) *gcstest.Fake {
	t.Helper()
	fake := gcstest.NewFake(t)
	fake.Put("models", "llama/a.bin", []byte("0123456789"))
	fake.Before = func(w http.ResponseWriter, r *http.Request) bool {
		is := ""
		switch {
		case r.URL.Query().Get("alt") == "media":
			is = media
		case strings.HasSuffix(r.URL.Path, "/o"):
			is = lists
		}
		if is == kind {
			answer(w, r)
		}
		return is == kind
	}
	return fake
}

func TestListErrors(t *testing.T) {
	t.Parallel()
	for reason, c := range map[string]struct {
		status int
		kind   lifecycle.Kind
		hint   string
	}{
		"forbidden":         {403, lifecycle.AccessDenied, "grant storage.objects.list on gs://models to allUsers"},
		"required":          {401, lifecycle.AccessDenied, "the bucket is not public"},
		"rateLimitExceeded": {403, lifecycle.Throttled, "slow down"},
		"tooMany":           {429, lifecycle.Throttled, "slow down"},
		"backendError":      {503, lifecycle.Unavailable, "STORAGE_EMULATOR_HOST"},
		"internalError":     {500, lifecycle.Unavailable, "STORAGE_EMULATOR_HOST"},
		"invalid":           {400, lifecycle.Invalid, "gs://BUCKET/PREFIX"},
		"teapot":            {418, lifecycle.Invalid, "gs://BUCKET/PREFIX"},
	} {
		t.Run(reason, func(t *testing.T) {
			t.Parallel()
			var n atomic.Int32
			fake := answering(t, lists, func(w http.ResponseWriter, _ *http.Request) {
				n.Add(1)
				w.Header().Set("Retry-After", "7")
				gcstest.Fail(w, c.status, reason, "the message")
			})
			_, err := open(t, "gs://models/llama", fake.Env()).Resolve(t.Context())
			require.EqualValues(t, 1, n.Load(), "a service that says when is not asked before")
			require.ErrorIs(t, err, c.kind)
			require.ErrorContains(t, err, "source.Resolve gs://models/llama: ")
			require.ErrorContains(t, err, "the message")
			require.ErrorContains(t, err, c.hint)
			require.Equal(t, 7*time.Second, source.RetryAfter(err))
		})
	}
}

func TestReadErrors(t *testing.T) {
	t.Parallel()
	for reason, c := range map[string]struct {
		status int
		kind   lifecycle.Kind
		hint   string
	}{
		"forbidden":                    {403, lifecycle.AccessDenied, "grant storage.objects.get on gs://models/llama/a.bin"},
		"conditionNotMet":              {412, lifecycle.Corrupt, "it changed since it was listed"},
		"requestedRangeNotSatisfiable": {416, lifecycle.Corrupt, "it changed since it was listed"},
		"backendError":                 {503, lifecycle.Unavailable, "network"},
		"tooMany":                      {429, lifecycle.Throttled, "slow down"},
	} {
		t.Run(reason, func(t *testing.T) {
			t.Parallel()
			var n atomic.Int32
			fake := answering(t, media, func(w http.ResponseWriter, _ *http.Request) {
				n.Add(1)
				w.Header().Set("Retry-After", "7")
				gcstest.Fail(w, c.status, reason, "the message")
			})
			src := open(t, "gs://models/llama", fake.Env())
			m, err := src.Resolve(t.Context())
			require.NoError(t, err)
			_, err = src.Open(t.Context(), m.Files[0], 2, 3)
			require.ErrorIs(t, err, c.kind)
			require.ErrorContains(t, err, "source.Read gs://models/llama/a.bin: ")
			require.ErrorContains(t, err, c.hint)
			require.Equal(t, 7*time.Second, source.RetryAfter(err))
			require.EqualValues(t, 1, n.Load(), "a read is not retried here")
		})
	}
}

// Small requests are tried again, so that one bad answer of many is no failure.
func TestListRetries(t *testing.T) {
	t.Parallel()
	var n atomic.Int32
	fake := gcstest.NewFake(t)
	fake.Put("models", "llama/a.bin", nil)
	fake.Before = func(w http.ResponseWriter, _ *http.Request) bool {
		if n.Add(1) > 2 {
			return false
		}
		gcstest.Fail(w, 503, "backendError", "We encountered an internal error.")
		return true
	}
	require.Len(t, resolve(t, fake.Env()).Files, 1)
}

func TestNotGoogle(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"a page": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<!DOCTYPE html><p>Hello") },
		"a redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/x", http.StatusFound)
		},
		"no answer": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := answering(t, lists, answer)
			_, err := open(t, "gs://models/llama", fake.Env()).Resolve(t.Context())
			require.ErrorIs(t, err, lifecycle.Unavailable)
			require.ErrorContains(t, err, "STORAGE_EMULATOR_HOST")
		})
	}
	_, err := open(t, "gs://models/llama", lifecycle.EnvVars{"STORAGE_EMULATOR_HOST": "127.0.0.1:1"}).Resolve(t.Context())
	require.ErrorIs(t, err, lifecycle.Unavailable)
	require.ErrorContains(t, err, "connection refused")
	_, err = tryOpen(t, "gs://models/llama", lifecycle.EnvVars{"STORAGE_EMULATOR_HOST": "http://user:canary@h"})
	require.ErrorIs(t, err, lifecycle.Invalid)
	require.NotContains(t, err.Error(), "canary")
}

// A listing that goes round in circles ends, also one of empty pages.
func TestListingGoesOn(t *testing.T) {
	t.Parallel()
	for _, items := range []string{"[]", `[{"name":"llama/a","size":"1","generation":"1"}]`} {
		fake := answering(t, lists, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"nextPageToken":"x","items":`+items+`}`)
		})
		_, err := open(t, "gs://models/llama", fake.Env()).Resolve(t.Context())
		require.ErrorIs(t, err, lifecycle.Unavailable)
		require.ErrorContains(t, err, "does not go on")
	}
}

// Bytes that are not the ones asked for never pass as those, and the SDK does not begin again.
func TestWrongBytes(t *testing.T) {
	t.Parallel()
	partial := func(w http.ResponseWriter, contentRange, data string) {
		w.Header().Set("Content-Range", contentRange)
		w.WriteHeader(http.StatusPartialContent)
		_, _ = io.WriteString(w, data)
		_ = http.NewResponseController(w).Flush()
	}
	for name, c := range map[string]struct {
		kind   lifecycle.Kind
		answer http.HandlerFunc
	}{
		"the range is ignored": {lifecycle.Unavailable, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "0123456789") }},
		"another range":        {lifecycle.Unavailable, func(w http.ResponseWriter, _ *http.Request) { partial(w, "bytes 3-5/10", "345") }},
		"another generation": {lifecycle.Corrupt, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Goog-Generation", "7")
			partial(w, "bytes 2-4/10", "234")
		}},
		"cut": {lifecycle.Unavailable, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "3")
			partial(w, "bytes 2-4/10", "23")
			panic(http.ErrAbortHandler)
		}},
		"cut without a length": {lifecycle.Unavailable, func(w http.ResponseWriter, _ *http.Request) { partial(w, "bytes 2-4/10", "23") }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var n atomic.Int32
			fake := answering(t, media, func(w http.ResponseWriter, r *http.Request) {
				n.Add(1)
				c.answer(w, r)
			})
			src := open(t, "gs://models/llama", fake.Env())
			m, err := src.Resolve(t.Context())
			require.NoError(t, err)
			body, err := src.Open(t.Context(), m.Files[0], 2, 3)
			if err == nil {
				_, err = io.Copy(io.Discard, body)
				require.NoError(t, body.Close())
			}
			require.ErrorIs(t, err, c.kind)
			require.ErrorContains(t, err, "gs://models/llama/a.bin")
			require.EqualValues(t, 1, n.Load())
		})
	}
}

// An object that is longer than the manifest says is another one.
func TestLongerObject(t *testing.T) {
	t.Parallel()
	fake := gcstest.NewFake(t)
	fake.Put("models", "llama/a.bin", []byte("0123456789"))
	_, err := open(t, "gs://models/llama", fake.Env()).Open(t.Context(), source.File{Path: "a.bin", Size: 4}, 0, -1)
	require.ErrorIs(t, err, lifecycle.Unavailable)
	require.ErrorContains(t, err, "asked for 4 bytes, the answer has 10")
}
