package spinup_test

import (
	"context"
	"errors"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/spinup-llm/spinup"
	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/engine/llamacpp"
	"github.com/spinup-llm/spinup/internal/fakeengine"
	"github.com/spinup-llm/spinup/internal/tinygguf"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
)

// quantised stands for llama.cpp: it chooses and checks files as that does.
type quantised struct {
	fakeengine.Engine
	dirs chan string
}

func (quantised) Name() string { return "quantised" }

func (q quantised) Check(s engine.Spec) error {
	q.dirs <- s.Dir
	return nil
}

func (quantised) ChooseFiles(s engine.Spec, m *source.Manifest) (*source.Manifest, error) {
	return llamacpp.Engine{}.ChooseFiles(s, m)
}

func (quantised) CheckFiles(ctx context.Context, src source.Source, m *source.Manifest) error {
	return llamacpp.Engine{}.CheckFiles(ctx, src, m)
}

// Of a repository that has everything, an engine that chooses gets what it wants, also where
// the source would have chosen otherwise; and its checks are those that count.
func TestEngineChoosesFiles(t *testing.T) {
	t.Parallel()
	h := onHub(t, "org/tiny")
	file := filepath.Join(t.TempDir(), "m.gguf")
	require.NoError(t, tinygguf.Write(file, tinyModel, nil))
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	h.Put("org/tiny", "m-Q4.gguf", data)
	h.Put("org/tiny", "big/m-Q8.gguf", data)
	h.Put("org/tiny", "m-broken.gguf", data[:len(data)/2])

	dirs := make(chan string, 1)
	o := quiet()
	o.Cache, o.Engines = cache(t), map[string]engine.Engine{"quantised": quantised{dirs: dirs}}
	env := h.Env()
	ready := func(kwargs map[string]any) error {
		return begin(t, o, &spinup.LLMConfig{
			LLMEngine: "quantised", EngineKwargs: spinup.EngineOptions{Extra: kwargs},
			ModelLoadingConfig: spinup.ModelLoadingConfig{ModelID: "org/tiny"}, RuntimeEnv: spinup.RuntimeEnv{EnvVars: env},
		}).Ready(t.Context())
	}
	require.NoError(t, ready(map[string]any{"model_file": "*Q8*"}))
	dir := <-dirs
	require.FileExists(t, filepath.Join(dir, "big/m-Q8.gguf"))
	for _, other := range []string{"m-Q4.gguf", "config.json", "model.safetensors"} {
		require.NoFileExists(t, filepath.Join(dir, other))
	}

	err = ready(nil)
	require.ErrorIs(t, err, lifecycle.Invalid)
	require.ErrorContains(t, err, "there are 3 models")
	err = ready(map[string]any{"model_file": "m-broken.gguf"})
	require.ErrorIs(t, err, lifecycle.Corrupt)
	require.ErrorContains(t, err, "is truncated")

	env["HF_HUB_OFFLINE"] = "1"
	require.NoError(t, ready(map[string]any{"model_file": "*Q8*"}), "what was chosen is all that the cache has to have")
	require.Equal(t, dir, <-dirs)
}

// shy fails once where it is asked for the files, and once where a check reads of the weights.
type shy struct {
	counting

	resolved, opened atomic.Bool
}

var errBusy = &lifecycle.Error{Op: "shy", Kind: lifecycle.Unavailable, Err: errors.New("too busy")}

func (s *shy) Resolve(ctx context.Context) (*source.Manifest, error) {
	if !s.resolved.Swap(true) {
		return nil, errBusy
	}
	return s.counting.Resolve(ctx)
}

func (s *shy) Open(ctx context.Context, f source.File, off, n int64) (io.ReadCloser, error) {
	if f.Path == "model.safetensors" && n < f.Size && !s.opened.Swap(true) {
		return nil, errBusy
	}
	return s.counting.Open(ctx, f, off, n)
}

func TestWhatIsTriedAgainIsTold(t *testing.T) {
	t.Parallel()
	src := &shy{counting: counting{dir: tinyModel}}
	o := quiet()
	o.Cache = cache(t)
	o.Sources = spinup.Sources()
	o.Sources.Handle("count", func(context.Context, *url.URL, *source.OpenOptions) (source.Source, error) { return src, nil })
	cfg := tiny()
	cfg.ModelLoadingConfig.ModelSource = spinup.From("count://model/tiny")
	d := begin(t, o, cfg)
	require.NoError(t, d.Ready(t.Context()))
	require.NoError(t, d.Stop(t.Context()))
	told := map[lifecycle.Stage]string{}
	for e := range d.Events(t.Context()) {
		if e.Phase == lifecycle.Progress && told[e.Stage] == "" {
			told[e.Stage] = e.Message
		}
	}
	require.Equal(t, "tried again after shy: unavailable: too busy", told[lifecycle.StageResolve])
	require.Equal(t, told[lifecycle.StageResolve], told[lifecycle.StageCheck])
}
