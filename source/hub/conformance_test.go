package hub_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/spinup-llm/spinup/internal/hubtest"
	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/source/hub"
	"github.com/spinup-llm/spinup/source/sourcetest"
)

// repo is a model whose owner rewrites its history at each change.
type repo struct {
	*hubtest.Hub
	id string
	o  *hub.Options
}

func (r repo) Put(_ testing.TB, path string, data []byte) {
	r.Hub.Put(r.id, path, data)
	r.Squash(r.id)
}

func (r repo) PutBeside(_ testing.TB, suffix, path string, data []byte) {
	r.Hub.Put(r.id+suffix, path, data)
}

func (r repo) Delete(_ testing.TB, path string) {
	r.Hub.Delete(r.id, path)
	r.Squash(r.id)
}

func (r repo) Source(tb testing.TB) source.Source {
	tb.Helper()
	return openWith(tb, "hf://"+r.id, r.Env(), r.o)
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]*hub.Options{"chosen": nil, "all": {AllowPatterns: []string{"*"}}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := hubtest.New(t)
			h.PageSize = 100
			var n atomic.Int64
			sourcetest.Run(t, sourcetest.Harness{
				New: func(testing.TB) sourcetest.Repo {
					return repo{h, fmt.Sprintf("org%d/llama", n.Add(1)), o}
				},
				Many: 210, Hostile: true, Digests: true,
			})
		})
	}
}

func requests(h *hubtest.Hub, cdn bool, path string) []hubtest.Request {
	var out []hubtest.Request
	for _, r := range h.Requests() {
		if r.CDN == cdn && strings.Contains(r.Path, path) {
			out = append(out, r)
		}
	}
	return out
}
