package s3_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spinup-llm/spinup/internal/s3test"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/source/sourcetest"
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

func (s realStore) put(t testing.TB, bucket, key string, data []byte) { s.Put(t, bucket, key, data) }
func (s realStore) remove(t testing.TB, bucket, key string)           { s.Delete(t, bucket, key) }

// repo is a folder of a bucket.
type repo struct {
	store
	bucket, prefix string
}

func (r repo) Put(t testing.TB, path string, data []byte) {
	t.Helper()
	r.put(t, r.bucket, r.prefix+"/"+path, data)
}

func (r repo) PutBeside(t testing.TB, suffix, path string, data []byte) {
	t.Helper()
	r.put(t, r.bucket, r.prefix+suffix+"/"+path, data)
}

func (r repo) Delete(t testing.TB, path string) {
	t.Helper()
	r.remove(t, r.bucket, r.prefix+"/"+path)
}

func (r repo) Source(t testing.TB) source.Source {
	t.Helper()
	return open(t, "s3://"+r.bucket+"/"+r.prefix, r.Env())
}

// open opens uri with nothing but env.
func open(t testing.TB, uri string, env lifecycle.EnvVars) source.Source {
	t.Helper()
	src, err := tryOpen(t, uri, env)
	require.NoError(t, err)
	return src
}

func tryOpen(t testing.TB, uri string, env lifecycle.EnvVars) (source.Source, error) {
	t.Helper()
	var mux source.Mux
	mux.Handle("s3", hermetic(env))
	return mux.Open(t.Context(), uri)
}

func harness(s store) sourcetest.Harness {
	var n atomic.Int64
	return sourcetest.Harness{
		New: func(t testing.TB) sourcetest.Repo {
			bucket := fmt.Sprintf("bucket%d", n.Add(1))
			s.put(t, bucket, "elsewhere/file", nil)
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
	sourcetest.Run(t, harness(realStore{s3test.Start(t)}))
}
