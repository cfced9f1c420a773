package oci_test

import (
	"fmt"
	"maps"
	"sync/atomic"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/source/sourcetest"
	"github.com/stretchr/testify/require"
)

// repo is a repository of which one tag is pushed again at each change. What a change takes
// away is removed from the registry too, as its garbage collection would.
type repo struct {
	addr, name string
	now        map[string]files // by repository
}

func (r repo) push(tb testing.TB, name string) {
	tb.Helper()
	push(tb, r.addr, "", "", name, "v1", r.now[name])
}

func (r repo) drop(tb testing.TB, path string) {
	tb.Helper()
	data, ok := r.now[r.name][path]
	if !ok {
		return
	}
	d := ocispec.Descriptor{Digest: digest.FromBytes(data), Size: int64(len(data))}
	require.NoError(tb, repository(tb, r.addr, "", "", r.name).Blobs().Delete(tb.Context(), d))
}

func (r repo) Put(tb testing.TB, path string, data []byte) {
	tb.Helper()
	r.drop(tb, path)
	r.put(tb, r.name, path, data)
}

func (r repo) put(tb testing.TB, name, path string, data []byte) {
	tb.Helper()
	content := maps.Clone(r.now[name])
	if content == nil {
		content = files{}
	}
	content[path] = data
	r.now[name] = content
	r.push(tb, name)
}

func (r repo) PutBeside(tb testing.TB, suffix, path string, data []byte) {
	tb.Helper()
	r.put(tb, r.name+suffix, path, data)
}

func (r repo) Delete(tb testing.TB, path string) {
	tb.Helper()
	r.drop(tb, path)
	delete(r.now[r.name], path)
	r.push(tb, r.name)
}

func (r repo) Source(tb testing.TB) source.Source {
	tb.Helper()
	return open(tb, "oci://"+r.addr+"/"+r.name+":v1", nil)
}

func harness(addr string) sourcetest.Harness {
	var n atomic.Int64
	return sourcetest.Harness{
		New: func(tb testing.TB) sourcetest.Repo {
			tb.Helper()
			return repo{addr, fmt.Sprintf("%.12s/llama", digest.FromString(fmt.Sprint(n.Add(1))).Encoded()), map[string]files{}}
		},
		Many: 100, Hostile: true, Digests: true,
	}
}
