package spinup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/internal/driver"
	"github.com/spinup-llm/spinup/internal/nearest"
	"github.com/spinup-llm/spinup/internal/telemetry"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/replica"
	"github.com/spinup-llm/spinup/source"
)

// application is one route prefix with its models.
type application struct {
	name   string
	prefix string
	env    lifecycle.EnvVars
	models []*model
}

// model is one LLMConfig with its replicas.
type model struct {
	cfg    *LLMConfig
	opts   *Options
	engine engine.Engine
	hooks  *hooks
	env    lifecycle.EnvVars // of the application, then of the config
	emit   func(lifecycle.Event)
	set    *replica.Set
	nodes  nodeFiles

	published sync.Map // keys of the compile cache that replicas of this model publish, or have
	made      time.Time

	standbys  *standbys
	adapters  *adapters // nil: none
	telemetry *telemetry.Telemetry
}

func newApplication(o *Options, app *Application, d *Deployment) (*application, error) {
	a := &application{name: cmp.Or(app.Name, "default"), prefix: strings.TrimSuffix(app.RoutePrefix, "/"), env: app.RuntimeEnv.EnvVars}
	var problems []error
	for _, cfg := range app.Args.LLMConfigs {
		m, err := newModel(o, a.env, cfg, d)
		problems = append(problems, err)
		a.models = append(a.models, m)
	}
	return a, errors.Join(problems...)
}

func newModel(o *Options, env lifecycle.EnvVars, cfg *LLMConfig, d *Deployment) (*model, error) {
	e, engineErr := chooseEngine(o.Engines, cfg.LLMEngine)
	h, hooksErr := newHooks(cfg, o.Logger, env)
	if _, ok := e.(engine.Sleeper); e != nil && o.SleepAfter > 0 && !ok {
		engineErr = &lifecycle.Error{
			Op: "spinup.New", Kind: lifecycle.Invalid, Target: "Options.SleepAfter",
			Err:  fmt.Errorf("the engine %s cannot sleep", e.Name()),
			Hint: "leave SleepAfter out, or use vLLM on a GPU",
		}
	}
	if err := errors.Join(engineErr, hooksErr); err != nil {
		return nil, err
	}
	m := &model{cfg: cfg, opts: o, engine: e, hooks: h, env: lifecycle.EnvVars{}, emit: d.emit, made: time.Now(), telemetry: d.telemetry}
	maps.Copy(m.env, env)
	maps.Copy(m.env, cfg.RuntimeEnv.EnvVars)
	var err error
	m.adapters, err = newAdapters(m)
	return m, err
}

func chooseEngine(engines map[string]engine.Engine, name string) (engine.Engine, error) {
	if name == "" {
		name = "vLLM"
	}
	if e, ok := engines[name]; ok {
		return e, nil
	}
	return nil, &lifecycle.Error{
		Op: "spinup.New", Kind: lifecycle.Invalid, Target: "llm_engine",
		Err:  fmt.Errorf("no engine is named %q", name),
		Hint: nearest.Hint(name, slices.Collect(maps.Keys(engines))),
	}
}

// newSet makes the replicas and the standbys of m; share is how many run beside each other in all.
func (m *model) newSet(name string, share int) *replica.Set {
	o := m.setOptions(share)
	o.Scope, o.Name = lifecycle.Scope{Emit: m.emit, Model: m.id()}, name
	set := replica.NewSet(m.opts.Provisioner, m.start, o)
	set.Want(m.wanted())
	m.standbys = newStandbys(m, name, share)
	return set
}

// run keeps replicas and standbys until ctx ends, or the replicas have failed for good. left
// is what could not be stopped.
func (m *model) run(ctx context.Context) (reason, left error) {
	standing, end := context.WithCancelCause(ctx)
	stood := make(chan error, 1)
	go func() { stood <- m.standbys.run(standing, m) }()
	reason = m.set.Run(ctx)
	end(reason)
	return reason, errors.Join(m.set.StopErr(), <-stood)
}

// setOptions are those that a change of the configuration may change.
func (m *model) setOptions(share int) *replica.SetOptions {
	return &replica.SetOptions{
		Request: m.request(share),
		Limits:  m.limits(),
		Pick:    m.picker(),
		Scale:   m.scaling(),
		Sleep:   m.opts.SleepAfter,
		Drain:   m.opts.Drain,
		Logger:  m.opts.Logger,

		Adapters: m.adapters.forSet(),
	}
}

func (m *model) request(share int) replica.Request {
	return replica.Request{Accelerator: m.cfg.accelerator(), Devices: m.devices(), Share: share}
}

// ready waits for the wanted replicas; stopped ends the wait.
func (m *model) ready(ctx context.Context, stopped <-chan struct{}) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-stopped:
			cancel(cmpErr(m.set.Err(), errStopped))
		case <-ctx.Done():
		}
	}()
	return m.set.Await(ctx, m.wanted())
}

func cmpErr(first, second error) error {
	if first != nil {
		return first
	}
	return second
}

func (m *model) id() string { return m.cfg.ModelLoadingConfig.ModelID }

// source is where the files are: a model that names no source is one of the hub.
func (m *model) source() string {
	if uri := m.cfg.ModelLoadingConfig.ModelSource.URI; uri != "" {
		return uri
	}
	return m.id()
}

// checkOptions leave out the files that the engine is told not to use.
func (m *model) checkOptions() *source.CheckOptions {
	k := m.cfg.EngineKwargs
	_, vllms := k.Extra["tokenizer"]
	_, sglangs := k.Extra["tokenizer_path"]
	elsewhere := vllms || sglangs || m.cfg.ModelLoadingConfig.TokenizerSource != ""
	skipped, _ := k.Extra["skip_tokenizer_init"].(bool)
	return &source.CheckOptions{
		NoTokenizer: elsewhere || skipped, NoWeights: k.LoadFormat == "dummy",
		Safetensors: k.LoadFormat == streamer, Ranks: m.ranks(), Mistral: strings.EqualFold(k.LoadFormat, "mistral"),
	}
}

// devices is how many accelerators a replica takes; the embedded engine takes none.
func (m *model) devices() int {
	if m.engine.Name() == "reference" {
		return 0
	}
	k := m.cfg.EngineKwargs
	times := func(name string) int {
		if n, ok := driver.Number(k.Extra[name]); ok && n >= 1 && n <= 1<<16 {
			return int(n)
		}
		return 1 // what is no such count is the engine's to refuse
	}
	n := max(1, k.TensorParallelSize) * max(1, k.PipelineParallelSize) * times("prefill_context_parallel_size")
	switch {
	case k.Extra["data_parallel_rank"] != nil: // the others are other engines
		return n
	case driver.Plain(k.Extra["enable_dp_attention"]) == true: // SGLang's ranks of data are some of tensors
		return n
	case k.Extra["data_parallel_size_local"] != nil:
		return n * times("data_parallel_size_local")
	default:
		return n * times("data_parallel_size")
	}
}
