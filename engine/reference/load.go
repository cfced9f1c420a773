package reference

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/engine/reference/internal/chat"
	"github.com/spinup-llm/spinup/engine/reference/internal/generate"
	"github.com/spinup-llm/spinup/engine/reference/internal/model"
	"github.com/spinup-llm/spinup/engine/reference/internal/server"
	"github.com/spinup-llm/spinup/lifecycle"
)

// Handler loads the model of spec into this process and returns its OpenAI API. ctx limits
// the loading. Of spec, ModelID, Dir and Kwargs count. It is meant for tests: a crash of the
// engine is one of the program. Nothing has to be closed. Errors are those of Check.
func Handler(ctx context.Context, spec engine.Spec) (http.Handler, error) {
	b, err := load(ctx, spec, func(line) {})
	if err != nil {
		return nil, err
	}
	s := server.New(spec.ModelID)
	s.Serve(b)
	return s, nil
}

// loading is a model on its way into memory.
type loading struct {
	spec   engine.Spec
	report func(line)
	plan   *plan
	model  *model.Model
	server.Backend
}

// load makes a model ready to serve. report is told of each stage.
func load(ctx context.Context, spec engine.Spec, report func(line)) (server.Backend, error) {
	l := &loading{spec: spec, report: report}
	for _, s := range []struct {
		stage lifecycle.Stage
		run   func(context.Context) error
	}{
		{lifecycle.StageEngineConfig, l.configure},
		{lifecycle.StageLoadWeights, l.loadWeights},
		{lifecycle.StageKVCache, l.allocate},
	} {
		if err := s.run(ctx); err != nil {
			return server.Backend{}, lifecycle.InStage(err, s.stage)
		}
		report(line{Stage: s.stage, Phase: lifecycle.End.String()})
	}
	return l.Backend, nil
}

// begin opens a stage. What is to be known of it is said here: the host may not read on
// once the engine answers.
func (l *loading) begin(stage lifecycle.Stage, what string) {
	l.report(line{Stage: stage, Phase: lifecycle.Begin.String(), Message: what})
}

// configure reads the small files. A chat template that does not parse is no reason to
// refuse a model: it can still complete.
func (l *loading) configure(context.Context) error {
	l.begin(lifecycle.StageEngineConfig, "")
	p, err := inspect(l.spec)
	if err != nil {
		return err
	}
	l.plan, l.Tokenizer, l.Sampling, l.Vocab = p, p.tok, p.defaults, p.config.Vocab
	if p.template == "" {
		l.NoChat = errors.New("it has no chat template")
	} else if l.Template, err = chat.Parse(p.template, p.tokens); err != nil {
		l.NoChat = fmt.Errorf("its chat template is not supported: %w", err)
	}
	return nil
}

func (l *loading) loadWeights(ctx context.Context) error {
	what := fmt.Sprintf("%s, %s", l.plan.config.Architecture, megabytes(l.plan.read))
	if l.NoChat != nil {
		what += "; no chat: " + l.NoChat.Error()
	}
	l.begin(lifecycle.StageLoadWeights, what)
	defer func() { _ = l.plan.weights.Close() }() // was only read
	var err error
	l.model, err = model.Load(ctx, l.plan.config, l.plan.weights, progress(l.plan.read, l.report))
	return err
}

func (l *loading) allocate(context.Context) error {
	p := l.plan
	l.begin(lifecycle.StageKVCache, fmt.Sprintf("%d sequences of %d tokens", p.maxSeqs, p.maxLen))
	l.Generator = generate.New(l.model, p.tok, generate.Options{MaxSeqs: p.maxSeqs, MaxLen: p.maxLen, EOS: p.eos, Seed: p.seed})
	return nil
}

// progress reports bytes of total as they are read, some twenty times.
func progress(total int64, report func(line)) func(int) {
	var done, reported int64
	return func(n int) {
		if done += int64(n); done-reported >= total/20 || done == total {
			reported = done
			report(line{Stage: lifecycle.StageLoadWeights, Phase: lifecycle.Progress.String(), Done: done, Total: total})
		}
	}
}
