package spinup

import (
	"log/slog"
	"time"

	"github.com/spinup-llm/spinup/download"
	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/engine/llamacpp"
	"github.com/spinup-llm/spinup/engine/reference"
	"github.com/spinup-llm/spinup/engine/sglang"
	"github.com/spinup-llm/spinup/engine/vllm"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/replica/local"
	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/source/hub"
	sourcelocal "github.com/spinup-llm/spinup/source/local"
	"github.com/spinup-llm/spinup/source/web"
)

// Sources returns a new Mux that knows the Hugging Face hub, local directories and plain web
// servers; add s3 and others by Handle:
//
//	mux := spinup.Sources()
//	mux.Handle("s3", s3.Opener(nil))
func Sources() *source.Mux {
	mux := new(source.Mux)
	mux.Handle("hf", hub.Opener(nil))
	mux.Handle("file", sourcelocal.Opener())
	mux.Handle("http", web.Opener(nil))
	mux.Handle("https", web.Opener(nil))
	return mux
}

// Engines returns the engines that the root knows, by llm_engine: "vLLM", "llama.cpp",
// "SGLang" and "reference".
func Engines() map[string]engine.Engine {
	engines := map[string]engine.Engine{}
	for _, e := range []engine.Engine{vllm.Engine{}, llamacpp.Engine{}, sglang.Engine{}, reference.Engine{}} {
		engines[e.Name()] = e
	}
	return engines
}

func (o *Options) withDefaults() *Options {
	var c Options
	if o != nil {
		c = *o
	}
	if c.Sources == nil {
		c.Sources = Sources()
	}
	if c.Downloads == nil {
		c.Downloads = download.Default
	}
	if c.Cache == nil {
		c.Cache = new(download.Cache)
	}
	if c.Engines == nil {
		c.Engines = Engines()
	}
	if c.Provisioner == nil {
		c.Provisioner = new(local.Provisioner)
	}
	if c.Drain == 0 {
		c.Drain = 30 * time.Second
	}
	if c.Logger == nil {
		c.Logger = slog.Default() //nolint:forbidigo // the default is resolved here
	}
	return &c
}

// limit is the time that stage may take without progress.
func (o *Options) limit(stage lifecycle.Stage) time.Duration {
	if d := o.StageLimits[stage]; d > 0 {
		return d
	}
	switch stage {
	case lifecycle.StageResolve, lifecycle.StageCheck:
		return 2 * time.Minute
	case lifecycle.StageCompileCache: // nothing depends on it
		return 30 * time.Second
	default:
		return 10 * time.Minute
	}
}
