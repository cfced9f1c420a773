package s3_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/spinup-llm/spinup/internal/s3test"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/source/sourcetest"
	"github.com/stretchr/testify/require"
)

// store is what the fake and the real server have in common.
type store interface {
	put(t testing.TB, bucket, key string, data []byte)
	remove(t testing.TB, bucket, key string)
	Env() lifecycle.EnvVars
}

type fakeStore struct{ *s3test.Fake }

func (s fakeStore) put(_ testing.TB, bucket, key string, data []byte) { s.Put(bucket, key, data) }
func (s fakeStore) remove(_ testing.TB, bucket, key string)           { s.Delete(bucket, key) }

type realStore struct{ *s3test.Server }

func (s realStore) put(tb testing.TB, bucket, key string, data []byte) {
	tb.Helper()
	s.Put(tb, bucket, key, data)
}

func (s realStore) remove(tb testing.TB, bucket, key string) {
	tb.Helper()
	s.Delete(tb, bucket, key)
}

// repo is a folder of a bucket.
type repo struct {
	store
	bucket, prefix string
}

func (r repo) Put(tb testing.TB, path string, data []byte) {
	tb.Helper()
	r.put(tb, r.bucket, r.prefix+"/"+path, data)
}

func (r repo) PutBeside(tb testing.TB, suffix, path string, data []byte) {
	tb.Helper()
	r.put(tb, r.bucket, r.prefix+suffix+"/"+path, data)
}

func (r repo) Delete(tb testing.TB, path string) {
	tb.Helper()
	r.remove(tb, r.bucket, r.prefix+"/"+path)
}

func (r repo) Source(tb testing.TB) source.Source {
	tb.Helper()
	return open(tb, "s3://"+r.bucket+"/"+r.prefix, r.Env())
}

// open opens uri with nothing but env.
func open(tb testing.TB, uri string, env lifecycle.EnvVars) source.Source {
	tb.Helper()
	src, err := tryOpen(tb, uri, env)
	require.NoError(tb, err)
	return src
}

func tryOpen(tb testing.TB, uri string, env lifecycle.EnvVars) (source.Source, error) {
	tb.Helper()
	var mux source.Mux
	mux.Handle("s3", hermetic(env))
	return mux.Open(tb.Context(), uri)
}

func harness(s store) sourcetest.Harness {
	var n atomic.Int64
	return sourcetest.Harness{
		New: func(tb testing.TB) sourcetest.Repo {
			tb.Helper()
			bucket := fmt.Sprintf("bucket%d", n.Add(1))
			s.put(tb, bucket, "elsewhere/file", nil)
			return repo{s, bucket, "models/llama"}
		},
		Many: 1100, Digests: true,
	}
}

func TestConformanceFake(t *testing.T) {
	t.Parallel()
	h := harness(fakeStore{s3test.NewFake(t)})
	h.Hostile = true
	sourcetest.Run(t, h)
}

func TestConformance(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, srv *s3test.Server) {
		t.Helper()
		h := harness(realStore{srv})
		h.Creates = true
		sourcetest.Run(t, h)
	})
}
