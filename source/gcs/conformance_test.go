package gcs_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/spinup-llm/spinup/internal/gcstest"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/source/sourcetest"
)

// store is what the fake and the other server have in common.
type store interface {
	put(t testing.TB, bucket, name string, data []byte)
	remove(t testing.TB, bucket, name string)
	Env() lifecycle.EnvVars
}

type fakeStore struct{ *gcstest.Fake }

func (s fakeStore) put(_ testing.TB, bucket, name string, data []byte) { s.Put(bucket, name, data) }
func (s fakeStore) remove(_ testing.TB, bucket, name string)           { s.Delete(bucket, name) }

type realStore struct{ *gcstest.Server }

func (s realStore) put(tb testing.TB, bucket, name string, data []byte) {
	tb.Helper()
	s.Put(tb, bucket, name, data)
}

func (s realStore) remove(tb testing.TB, bucket, name string) {
	tb.Helper()
	s.Delete(tb, bucket, name)
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
	return open(tb, "gs://"+r.bucket+"/"+r.prefix, r.Env())
}

func harness(s store) sourcetest.Harness {
	var n atomic.Int64
	return sourcetest.Harness{
		New: func(tb testing.TB) sourcetest.Repo {
			tb.Helper()
			bucket := fmt.Sprintf("bucket%d", n.Add(1))
			s.put(tb, bucket, "elsewhere/file", []byte("x"))
			return repo{s, bucket, "models/llama"}
		},
		Many: 1100, Digests: true,
	}
}

func TestConformanceFake(t *testing.T) {
	t.Parallel()
	h := harness(fakeStore{gcstest.NewFake(t)})
	h.Hostile = true
	sourcetest.Run(t, h)
}

func TestConformance(t *testing.T) {
	t.Parallel()
	h := harness(realStore{gcstest.Start(t)})
	h.Creates = true
	sourcetest.Run(t, h)
}
