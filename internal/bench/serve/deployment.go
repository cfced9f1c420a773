//go:build linux

package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/spinup-llm/spinup"
	"github.com/spinup-llm/spinup/internal/randmodel"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/replica/local"
)

// modelID is the name under which the model is served.
const modelID = "m"

// shape is of the model that is made. vLLM gets 0.9 GB of weights, so that there is work
// between two tokens, as with models that answer anything: with 3 MB it only passes tokens from
// process to process, and what is measured on few cores is who gets them.
func (s *settings) shape() randmodel.Options {
	if s.engine == "vLLM" {
		return randmodel.Options{Layers: 12, Hidden: 2048}
	}
	return randmodel.Options{}
}

// A deployment is one engine behind our door.
type deployment struct {
	engine, door string // URLs
	model        string // folder
	stop         func()
}

// start returns once the engine serves. stop ends it, with what was made for it.
func start(ctx context.Context, s *settings) (_ *deployment, err error) {
	work, err := os.MkdirTemp("", "spinup-bench-serve-")
	if err != nil {
		return nil, err
	}
	d := &deployment{model: s.model, stop: func() { _ = os.RemoveAll(work) }} // it was made here
	defer func() {
		if err != nil {
			d.stop()
		}
	}()
	if d.model == "" {
		d.model = filepath.Join(work, "model")
		if err = errors.Join(os.Mkdir(d.model, 0o700), randmodel.Write(d.model, s.shape())); err != nil {
			return nil, err
		}
	}
	cfg := &spinup.LLMConfig{
		LLMEngine:          s.engine,
		ModelLoadingConfig: spinup.ModelLoadingConfig{ModelID: modelID, ModelSource: spinup.From(d.model)},
		EngineKwargs:       spinup.EngineOptions{MaxModelLen: 8 * (s.load.input + s.load.output)}, // the client's tokens are not ours
	}
	if s.engine == "vLLM" {
		cfg.EngineKwargs.EnforceEager = new(true)
		cfg.EngineKwargs.Extra = map[string]any{"enable_prefix_caching": false} // a turn must not profit from the one before
		if s.accelerator == "none" {
			// As many do, and vLLM's guide for CPUs advises: cores that compute, and cores that serve. Threads
			// that compute wait for each other, so what takes one of them a moment costs all.
			cfg.RuntimeEnv.EnvVars = lifecycle.EnvVars{"VLLM_CPU_OMP_THREADS_BIND": "0"}
		}
	}
	dep, err := spinup.New(&spinup.Options{
		Provisioner: &local.Provisioner{Accelerator: s.accelerator}, Logger: slog.New(slog.DiscardHandler),
	}, cfg)
	if err != nil {
		return nil, err
	}
	l, err := spinup.Listen(ctx, "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	serving, cancel := context.WithCancel(ctx)
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = dep.Serve(serving, l) // what was measured has been told
	}()
	clean := d.stop
	d.stop = func() {
		cancel()
		<-served
		clean()
	}
	if err := dep.Ready(ctx); err != nil {
		return nil, err
	}
	d.door = "http://" + l.Addr().String()
	for span := range dep.Timeline().All() {
		if span.Stage == lifecycle.StageReady {
			d.engine = span.Message
			return d, nil
		}
	}
	return nil, errors.New("the engine's address is not known")
}
