//go:build unix

package spinup_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spinup-llm/spinup"
	"github.com/spinup-llm/spinup/download"
	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/internal/fakeengine"
	"github.com/spinup-llm/spinup/internal/randmodel"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/replica"
	"github.com/spinup-llm/spinup/replica/local"
	"github.com/spinup-llm/spinup/source"
)

// instead has e take the place of vLLM, which is not on every machine and takes its time. A
// program leaves Engines out.
func instead(e engine.Engine) *spinup.Options {
	o := quiet()
	o.Engines = map[string]engine.Engine{"vLLM": e}
	o.Provisioner = &local.Provisioner{Accelerator: "none"}
	return o
}

// llama is the configuration of a small model that remove removes. Adapters lie beside it.
func llama(adapters ...string) (cfg *spinup.LLMConfig, dir string, remove func()) {
	dir, err := os.MkdirTemp("", "example")
	must(err)
	must(os.Mkdir(filepath.Join(dir, "model"), 0o700))
	must(randmodel.Write(filepath.Join(dir, "model"), randmodel.Options{}))
	for _, name := range adapters {
		must(randmodel.WriteAdapter(filepath.Join(dir, "adapters", name), randmodel.AdapterOptions{}))
	}
	cfg = &spinup.LLMConfig{ModelLoadingConfig: spinup.ModelLoadingConfig{
		ModelID: "llama", ModelSource: spinup.From(filepath.Join(dir, "model")),
	}}
	return cfg, dir, func() { _ = os.RemoveAll(dir) }
}

// beside has e stream from bucket. It takes the place of vLLM as above.
func beside(e *streaming, bucket *origin) (o *spinup.Options, remove func()) {
	dir, err := os.MkdirTemp("", "example")
	must(err)
	e.root, e.dirs = dir, map[string]string{}
	o = instead(e)
	o.Cache = &download.Cache{StoreDir: filepath.Join(dir, "store")}
	o.Sources = spinup.Sources()
	o.Sources.Handle("s3", func(context.Context, *url.URL, *source.OpenOptions) (source.Source, error) { return bucket, nil })
	return o, func() { _ = os.RemoveAll(dir) }
}

// until waits for a stage to come to a phase.
func until(dep *spinup.Deployment, stage lifecycle.Stage, phase lifecycle.Phase) lifecycle.Event {
	for e := range dep.Events(context.Background()) {
		if e.Stage == stage && e.Phase == phase {
			return e
		}
	}
	return lifecycle.Event{}
}

// A standby has imported what its engine needs, and becomes the next replica: one that takes
// the place of a dead one, one more, or, as here, one of a new configuration.
func ExampleOptions_standbys() {
	cfg, _, remove := llama()
	defer remove()
	o := instead(fakeengine.Early{})
	o.Standbys = 1
	dep, stop := deploy(o, cfg)
	defer stop()

	for e := range dep.Events(context.Background()) { // until it has imported
		if e.Replica == "llama#standby1" && e.Stage == lifecycle.StagePreload && e.Phase == lifecycle.End {
			break
		}
	}
	more := *cfg
	more.DeploymentConfig.MaxOngoingRequests = 8
	fmt.Println(dep.Update(context.Background(), &more))
	r := dep.Status()[0].Replicas[0]
	fmt.Printf("%s: standby %v\n", r.ID, r.Standby)
	// Output:
	// <nil>
	// llama#2: standby true
}

// The engine reads the weights from this host while they come, and serves when what it has
// read is known to be right. All replicas share one download.
func ExampleOptions_streamThroughHost() {
	bucket := &origin{uri: "s3://models/tiny"}
	o, remove := beside(&streaming{}, bucket)
	defer remove()
	o.StreamThroughHost = true
	cfg := &spinup.LLMConfig{
		ModelLoadingConfig: spinup.ModelLoadingConfig{ModelID: "tiny", ModelSource: spinup.From(bucket.uri)},
		EngineKwargs:       spinup.EngineOptions{LoadFormat: "runai_streamer"},
		DeploymentConfig:   spinup.DeploymentConfig{NumReplicas: new(spinup.NumReplicas(2))},
	}
	dep, stop := deploy(o, cfg)
	defer stop()

	fmt.Println(dep.Status()[0].Ready, "replicas")
	for span := range dep.Timeline().All() {
		if span.Stage == lifecycle.StageDownload && strings.Contains(span.Message, "streams") {
			fmt.Println(span.Message)
		}
	}
	// Output:
	// 2 replicas
	// reference streams 1 weight files, 0.00 GB, from this host, to which they come from s3://models/tiny
}

// What one start has compiled is there for the next one, on another machine.
func ExampleOptions_compileCache() {
	_, shared, remove := llama()
	defer remove()
	for range 2 {
		cfg, machine, scrap := llama()
		o := instead(fakeengine.Cacher{})
		o.CompileCache = filepath.Join(shared, "compiled") // or s3://bucket/prefix, gs://bucket/prefix
		o.Cache = &download.Cache{StoreDir: filepath.Join(machine, "store")}
		dep, stop := deploy(o, cfg)
		stop() // what is being published still is
		for span := range dep.Timeline().All() {
			if span.Stage == lifecycle.StageCompile {
				fmt.Println("compile:", span.Message)
			}
		}
		scrap()
	}
	// Output:
	// compile: miss
	// compile: hit
}

// An engine that nobody asks gives its memory back, and wakes for the next request.
func ExampleOptions_sleepAfter() {
	cfg, _, remove := llama()
	defer remove()
	o := instead(fakeengine.Sleepy{})
	o.SleepAfter = 1 // a nanosecond; in a program some minutes
	dep, stop := deploy(o, cfg)
	defer stop()

	fmt.Println("asleep:", until(dep, replica.StageAsleep, lifecycle.Begin).Replica)
	fmt.Println(query(dep.Handler(), "llama"))
	fmt.Println("awake:", until(dep, replica.StageAsleep, lifecycle.End).Replica)
	// Output:
	// asleep: llama#1
	// llama answers
	// awake: llama#1
}

// Clients ask for MODEL:ADAPTER. An adapter is fetched, checked and loaded when it is asked
// for first.
func ExampleLoraConfig() {
	cfg, dir, remove := llama("sql", "poems")
	defer remove()
	cfg.LoraConfig = &spinup.LoraConfig{DynamicLoraLoadingPath: filepath.Join(dir, "adapters")} // or s3://bucket/prefix, hf://ORG
	o := instead(fakeengine.Engine{})
	o.Aliases = map[string]string{"text2sql": "llama:sql"}
	dep, stop := deploy(o, cfg)
	defer stop()

	for _, model := range []string{"llama", "llama:sql", "text2sql", "llama:sqll"} {
		fmt.Println(query(dep.Handler(), model))
	}
	fmt.Println("loaded:", dep.Status()[0].Replicas[0].Adapters)
	// Output:
	// llama answers
	// llama:sql answers
	// llama:sql answers
	// 404 adapter sqll: not found (did you mean "sql"?)
	// loaded: [sql]
}
