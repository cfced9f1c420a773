package s3_test

import (
	"context"
	"hash/crc32"
	"net/http"
	"strings"
	"testing"

	"github.com/spinup-llm/spinup/download"
	"github.com/spinup-llm/spinup/internal/s3test"
	"github.com/spinup-llm/spinup/internal/srctest"
	"github.com/spinup-llm/spinup/source"
)

// asks reports whether a request is of a method, and has a part in its address.
func asks(method, part string) func(*http.Request) bool {
	return func(r *http.Request) bool { return r.Method == method && strings.Contains(r.URL.RequestURI(), part) }
}

// fetch downloads with a manager of its own.
func fetch(ctx context.Context, src source.Source, dir string) (*source.Manifest, error) {
	return new(download.Manager).Fetch(ctx, src, dir)
}

// Whichever request a service is too busy for, the model comes after the pause that is asked for.
func TestBusy(t *testing.T) {
	t.Parallel()
	fake := s3test.NewFake(t)
	fake.Put("models", "llama/hash", []byte("0e9e39f249a16976918f6564b8830bc894c89659"))
	fake.Put("models", "llama/config.json", []byte("{}"))
	fake.PutObject("models", "llama/parts", inParts("CRC32", crc32.IEEE, []byte("0123456789"), 4, 6))
	alike := inParts("CRC32C", crc32.Castagnoli, []byte("0123456789"), 4, 4, 2)
	alike.Parts[1].ChecksumCRC32C = "?" // so that the size of a part is asked for
	fake.PutObject("models", "llama/alike", alike)
	for name, c := range map[string]struct {
		uri  string
		busy func(*http.Request) bool
	}{
		"list":           {"s3://models/llama", asks(http.MethodGet, "list-type")},
		"mark":           {"s3://models/llama", asks(http.MethodGet, "/llama/hash")},
		"bytes":          {"s3://models/llama", asks(http.MethodGet, "/llama/config.json")},
		"head":           {"s3://models/llama", asks(http.MethodHead, "/llama/parts")},
		"attributes":     {"s3://models/llama", asks(http.MethodGet, "attributes")},
		"head of a part": {"s3://models/llama", asks(http.MethodHead, "partNumber=1")},
		"object":         {"s3://models/llama/config.json", asks(http.MethodHead, "/llama/config.json")},
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
	fake := s3test.NewFake(t)
	fake.Put("models", "llama/a", []byte("0123456789"))
	srctest.Packed(t, srctest.Case{Server: fake, Is: asks(http.MethodGet, "/llama/a"), Fetch: fetch, Open: func(tb testing.TB, client *http.Client) source.Source {
		tb.Helper()
		return openWith(tb, "s3://models/llama", fake.Env(), client)
	}})
}
