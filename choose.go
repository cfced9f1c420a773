package spinup

import (
	"context"
	"io"
	"strings"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
)

// open opens the model's source. An engine that chooses its files does so where the source
// would by itself.
func (s *startup) open(ctx context.Context) (source.Source, error) {
	mux := *s.state.Sources
	mux.Format = s.weightsFormat()
	if _, ok := s.engine.(engine.FileChooser); ok {
		mux.Choose = s.choose
	}
	return mux.Open(ctx, s.source())
}

// weightsFormat is the form of weights that the configuration tells an engine to read, in vLLM's words.
func (m *model) weightsFormat() string {
	k := m.cfg.EngineKwargs
	format := strings.ToLower(k.LoadFormat)
	if config, _ := k.Extra["config_format"].(string); config == "mistral" && (format == "" || format == "auto") {
		return config
	}
	return format
}

// resolve lists the model's files that the engine needs.
func (s *startup) resolve(ctx context.Context, src source.Source) (*source.Manifest, error) {
	man, err := s.state.Downloads.Resolve(ctx, src)
	if err != nil {
		return nil, err
	}
	return s.choose(man)
}

// choose returns all of man, unless the engine has a choice of its own.
func (s *startup) choose(man *source.Manifest) (*source.Manifest, error) {
	if e, ok := s.engine.(engine.FileChooser); ok {
		return e.ChooseFiles(s.state.Spec, man)
	}
	return man, nil
}

// checkFiles says whether the engine can load what is at the source.
func (s *startup) checkFiles(ctx context.Context, src source.Source, man *source.Manifest) error {
	if e, ok := s.engine.(engine.FileChooser); ok {
		return e.CheckFiles(ctx, src, man)
	}
	return source.CheckModel(ctx, src, man, s.checkOptions())
}

// A teller tells failures of its source that are tried again as progress of a stage, which may then
// take its time: else it would be silent until its limit.
type teller struct {
	source.Source

	tell func(failed string)
}

func (s *startup) telling(src source.Source, span lifecycle.Scope) source.Source {
	return teller{src, func(failed string) { span.Progress(0, 0, "tried again after "+s.env.Redact(failed)) }}
}

// Resolve implements source.Source.
func (t teller) Resolve(ctx context.Context) (*source.Manifest, error) {
	man, err := t.Source.Resolve(ctx)
	return man, t.told(err)
}

// Open implements source.Source.
func (t teller) Open(ctx context.Context, f source.File, off, n int64) (io.ReadCloser, error) {
	body, err := t.Source.Open(ctx, f, off, n)
	return body, t.told(err)
}

func (t teller) told(err error) error {
	if lifecycle.KindOf(err).Temporary() {
		t.tell(err.Error())
	}
	return err
}
