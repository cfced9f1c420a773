package spinup

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
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

// check refuses numbers below 0 that mean nothing: the door would panic at them, or refuse all.
func (o *Options) check() error {
	numbers := map[string]int64{
		"Gateway.MaxBody": o.Gateway.MaxBody, "Gateway.Bodies": o.Gateway.Bodies,
		"Gateway.BodyWithin": int64(o.Gateway.BodyWithin), "Gateway.WriteWithin": int64(o.Gateway.WriteWithin),
		"Limits.Ongoing": int64(o.Limits.Ongoing), "Limits.Request": int64(o.Limits.Request),
		"Drain": int64(o.Drain), "SleepAfter": int64(o.SleepAfter), "Standbys": int64(o.Standbys),
	}
	for stage, limit := range o.StageLimits {
		numbers[fmt.Sprintf("StageLimits[%s]", stage)] = int64(limit)
	}
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(numbers)) {
		if numbers[name] < 0 {
			problems = append(problems, &lifecycle.Error{
				Op: "spinup.New", Kind: lifecycle.Invalid, Target: "Options." + name, Err: errors.New("it is negative"),
				Hint: "give it a positive value, or leave it out for its default",
			})
		}
	}
	return errors.Join(problems...)
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
