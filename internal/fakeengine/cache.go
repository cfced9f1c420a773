//go:build unix

package fakeengine

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/spinup-llm/spinup/engine"
)

// Cacher is an Engine that keeps what it has compiled: the message of its stage compile is
// "hit" or "miss". Its key are its modes. It dies of code that is "poison".
type Cacher struct{ Early }

var _ engine.Cacher = Cacher{}

// CacheKey implements engine.Cacher.
func (Cacher) CacheKey(spec engine.Spec) (map[string]string, error) {
	modes, _ := spec.Kwargs["modes"].(string)
	return map[string]string{"engine": "fake", "modes": modes}, nil
}

// Cached implements engine.Cacher.
func (Cacher) Cached(path string) bool { return !strings.HasSuffix(path, ".tmp") }

// compile finds its code in the cache or writes it there, with what is not worth keeping.
func (f *fake) compile() {
	name := filepath.Join(f.cache, "code", "model.so")
	code, _ := os.ReadFile(name) //nolint:gosec // a folder of the test's
	switch string(code) {
	case "compiled":
		say("stage compile hit")
		return
	case "poison":
		say("error: illegal instruction")
		os.Exit(3)
	}
	say("stage compile miss")
	must(os.MkdirAll(filepath.Dir(name), 0o700))
	must(os.WriteFile(name, []byte("compiled"), 0o600))
	must(os.WriteFile(name+".tmp", nil, 0o600))
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
