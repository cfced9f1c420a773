package engine

import (
	"fmt"
	"net/url"

	"github.com/spinup-llm/spinup/lifecycle"
)

// Spec is what an engine needs to know.
type Spec struct {
	ModelID string
	Dir     string   // files of the model: all, or all but the weights
	Weights *url.URL // where a streaming engine reads weights; nil means Dir
	Store   *Store   // the S3 service that has Weights; nil means that of its owner, as the environment says
	Kwargs  map[string]any
	Env     lifecycle.EnvVars // on top of what the driver sets
	Devices []string          // accelerators; empty means the CPU
	CPUs    []int             // cores, for an engine on the CPU; empty means all
	Sleeps  bool              // it will be asked to sleep, see Sleeper
	// CacheDir is where a Cacher keeps what spares later starts work, for this process alone; ""
	// means where the engine does by itself.
	CacheDir string
	Addr     string // host:port to listen on; "" lets Start choose a free one on loopback

	Adapters int // how many the engine is to hold at the same time; 0 unless it is an [AdapterLoader]
	Trace    Trace
}

// String names model, folder and address. Kwargs, Weights and Store may hold secrets.
func (s Spec) String() string {
	return fmt.Sprintf("model %q in %q at %q", s.ModelID, s.Dir, s.Addr)
}

// A Store is an S3 service of the host's own, addressed by path, for one engine that is a
// [StoreReader]. The keys and endpoints of Env are not for the engine then.
type Store struct {
	Endpoint             *url.URL
	AccessKey, SecretKey string
}

// Trace asks an engine to export the spans of its start.
type Trace struct {
	Traceparent string // W3C; "" means none
	Endpoint    *url.URL
}
