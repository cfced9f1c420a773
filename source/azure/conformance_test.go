package azure_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/source/sourcetest"
)

// store is what the fake and the real server have in common.
type store interface {
	put(t testing.TB, container, name string, data []byte)
	remove(t testing.TB, container, name string)
	Env() lifecycle.EnvVars
}

// repo is a folder of a container.
type repo struct {
	store
	container, prefix string
}

func (r repo) Put(tb testing.TB, path string, data []byte) {
	tb.Helper()
	r.put(tb, r.container, r.prefix+"/"+path, data)
}

func (r repo) PutBeside(tb testing.TB, suffix, path string, data []byte) {
	tb.Helper()
	r.put(tb, r.container, r.prefix+suffix+"/"+path, data)
}

func (r repo) Delete(tb testing.TB, path string) {
	tb.Helper()
	r.remove(tb, r.container, r.prefix+"/"+path)
}

func (r repo) Source(tb testing.TB) source.Source {
	tb.Helper()
	return open(tb, "abfss://"+r.container+"@"+account+".dfs.core.windows.net/"+r.prefix, r.Env())
}

func harness(s store) sourcetest.Harness {
	var n atomic.Int64
	return sourcetest.Harness{
		New: func(tb testing.TB) sourcetest.Repo {
			tb.Helper()
			container := fmt.Sprintf("container%d", n.Add(1))
			s.put(tb, container, "elsewhere/file", []byte("x"))
			return repo{s, container, "models/llama"}
		},
	}
}

func TestConformanceFake(t *testing.T) {
	t.Parallel()
	h := harness(newFake(t))
	h.Hostile, h.Digests, h.Many = true, true, 120
	sourcetest.Run(t, h)
}
