package spinup_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spinup-llm/spinup"
	"github.com/spinup-llm/spinup/download"
	"github.com/spinup-llm/spinup/engine/reference"
	"github.com/spinup-llm/spinup/internal/fakeengine"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	reference.Main()
	fakeengine.Main()
	goleak.VerifyTestMain(m)
}

const tinyModel = "examples/quickstart/model"

// tiny is the quickstart's configuration.
func tiny() *spinup.LLMConfig {
	return &spinup.LLMConfig{
		LLMEngine: "reference",
		ModelLoadingConfig: spinup.ModelLoadingConfig{
			ModelID: "tiny", ModelSource: spinup.From(tinyModel),
		},
	}
}

// quiet keeps the log of a test out of its output.
func quiet() *spinup.Options { return &spinup.Options{Logger: slog.New(slog.DiscardHandler)} }

// begin starts a deployment that ends with the test.
func begin(t *testing.T, o *spinup.Options, cfgs ...*spinup.LLMConfig) *spinup.Deployment {
	t.Helper()
	d, err := spinup.New(o, cfgs...)
	require.NoError(t, err)
	require.NoError(t, d.Start(context.WithoutCancel(t.Context())))
	t.Cleanup(func() { require.NoError(t, d.Stop(context.WithoutCancel(t.Context()))) })
	return d
}

func get(t *testing.T, h http.Handler, path string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	return w.Code, w.Body.String()
}

func chat(t *testing.T, h http.Handler, path, model string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	body := fmt.Sprintf(`{"model":%q,"messages":[{"role":"user","content":"Hello"}],"max_tokens":8,"temperature":0}`, model)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path+"/v1/chat/completions", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	h.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func TestFromConfigurationToAnswer(t *testing.T) {
	t.Parallel()
	d := begin(t, quiet(), tiny())
	require.NoError(t, d.Ready(t.Context()))
	code, body := chat(t, d.Handler(), "", "tiny")
	require.Equal(t, http.StatusOK, code, body)
	code, _ = get(t, d.Handler(), "/readyz")
	require.Equal(t, http.StatusOK, code)

	var seen []lifecycle.Stage
	for stage := range d.Timeline().ByStage() {
		seen = append(seen, stage)
	}
	for _, stage := range []lifecycle.Stage{
		lifecycle.StageResolve, lifecycle.StageCheck, lifecycle.StagePreload,
		lifecycle.StageEngineConfig, lifecycle.StageLoadWeights, lifecycle.StageWarmup,
	} {
		require.Contains(t, seen, stage)
	}
}

// The promise is 2 %. On a busy machine a goroutine may wait longer than that to run, so
// the best of several starts counts.
func TestTimelineExplainsTheStart(t *testing.T) {
	t.Parallel()
	best := 1.0
	for range 5 {
		d := begin(t, quiet(), tiny())
		require.NoError(t, d.Ready(t.Context()))
		tl := d.Timeline()
		best = min(best, tl.Unattributed("tiny#1").Seconds()/tl.Startup("tiny#1").Seconds())
	}
	require.Less(t, best, 0.02)
}

func TestReplicasShareTheirFiles(t *testing.T) {
	t.Parallel()
	src := &counting{dir: tinyModel}
	o := quiet()
	o.Sources = src.mux()
	o.Cache = cache(t)
	cfg := tiny()
	cfg.ModelLoadingConfig.ModelSource = spinup.From("count://model/tiny")
	n := spinup.NumReplicas(3)
	cfg.DeploymentConfig.NumReplicas = &n
	d := begin(t, o, cfg)
	require.NoError(t, d.Ready(t.Context()))
	require.Equal(t, int64(1), src.resolves.Load())
	require.Equal(t, 3, replicas(d))
	code, body := chat(t, d.Handler(), "", "tiny")
	require.Equal(t, http.StatusOK, code, body)
}

func replicas(d *spinup.Deployment) (n int) {
	for range d.Replicas() {
		n++
	}
	return n
}

func TestSeveralModelsAndApplications(t *testing.T) {
	t.Parallel()
	second := tiny()
	second.ModelLoadingConfig.ModelID = "org/second"
	third := tiny()
	d, err := spinup.FromApplications(quiet(), []spinup.Application{
		{Name: "a", RoutePrefix: "/", Args: spinup.ApplicationArgs{LLMConfigs: []*spinup.LLMConfig{tiny(), second}}},
		{Name: "b", RoutePrefix: "/b", Args: spinup.ApplicationArgs{LLMConfigs: []*spinup.LLMConfig{third}}},
	})
	require.NoError(t, err)
	require.NoError(t, d.Start(t.Context()))
	defer func() { require.NoError(t, d.Stop(context.WithoutCancel(t.Context()))) }()
	require.NoError(t, d.Ready(t.Context()))
	for path, model := range map[string]string{"": "org/second", "/b": "tiny"} {
		code, body := chat(t, d.Handler(), path, model)
		require.Equal(t, http.StatusOK, code, body)
	}
	code, body := chat(t, d.Handler(), "/b", "org/second")
	require.Equal(t, http.StatusNotFound, code)
	require.Contains(t, body, "known models: tiny")
}

func TestAnApplicationWithoutANameIsTheDefault(t *testing.T) {
	t.Parallel()
	d, err := spinup.FromApplications(quiet(), []spinup.Application{{Args: spinup.ApplicationArgs{LLMConfigs: []*spinup.LLMConfig{tiny()}}}})
	require.NoError(t, err)
	require.Equal(t, "default", d.Status()[0].Application)
}

// Who waits for what will never begin is told so.
func TestNobodyWaitsForAStartThatWillNotCome(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cache string
		end   func(*spinup.Deployment) error
		want  string
	}{
		"stopped before":   {"", func(d *spinup.Deployment) error { return d.Stop(t.Context()) }, "the deployment was stopped"},
		"start has failed": {"nosuch://x", func(d *spinup.Deployment) error { _ = d.Start(t.Context()); return d.Stop(t.Context()) }, "no driver is registered"},
		"run has failed":   {"nosuch://x", func(d *spinup.Deployment) error { _ = d.Run(t.Context()); return nil }, "no driver is registered"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := quiet()
			o.CompileCache = c.cache
			d, err := spinup.New(o, tiny())
			require.NoError(t, err)
			err = d.Update(t.Context(), tiny())
			require.ErrorIs(t, err, lifecycle.Invalid)
			require.ErrorContains(t, err, "call Start before")

			early, refused := make(chan error, 1), make(chan int, 1)
			go func() { early <- d.Ready(context.WithoutCancel(t.Context())) }()
			ask := func() int {
				code, _ := chat(t, d.Handler(), "", "tiny")
				return code
			}
			go func() { refused <- ask() }()
			require.NoError(t, c.end(d))
			require.Equal(t, http.StatusServiceUnavailable, <-refused)
			require.Equal(t, http.StatusServiceUnavailable, ask())
			for _, err := range []error{
				<-early, d.Ready(t.Context()), d.Start(t.Context()), d.Update(t.Context(), tiny()),
			} {
				require.ErrorContains(t, err, c.want)
			}
			for e := range d.Events(t.Context()) {
				require.Fail(t, "nothing has happened", "%v", e)
			}
			require.NoError(t, d.Stop(t.Context()))
		})
	}
}

func TestServeAfterStartSaysToLeaveItOut(t *testing.T) {
	t.Parallel()
	d := begin(t, quiet(), tiny())
	require.ErrorContains(t, d.Run(t.Context()), "leave Start out: Serve and Run do it")
	require.NoError(t, d.Ready(t.Context()), "what was started goes on")
}

func TestWhileStartingRequestsAreToldToComeBack(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	o := quiet()
	o.Limits.WaitingFor = -1
	o.Sources = (&counting{dir: tinyModel, hold: hold}).mux()
	o.Cache = cache(t)
	cfg := tiny()
	cfg.ModelLoadingConfig.ModelSource = spinup.From("count://model/tiny")
	d := begin(t, o, cfg)
	code, body := chat(t, d.Handler(), "", "tiny")
	require.Equal(t, http.StatusServiceUnavailable, code)
	require.Contains(t, body, "starting")
	code, _ = get(t, d.Handler(), "/readyz")
	require.Equal(t, http.StatusServiceUnavailable, code)
	code, _ = get(t, d.Handler(), "/healthz")
	require.Equal(t, http.StatusOK, code)
	close(hold)
	require.NoError(t, d.Ready(t.Context()))
}

func TestAModelThatLacksFilesFailsBeforeAnEngine(t *testing.T) {
	t.Parallel()
	for file, says := range map[string]string{
		"config.json": "config.json", "tokenizer.json": "tokenizer", "model.safetensors": "safetensors",
	} {
		dir := t.TempDir()
		require.NoError(t, os.CopyFS(dir, os.DirFS(tinyModel)))
		require.NoError(t, os.Remove(filepath.Join(dir, file)))
		cfg := tiny()
		cfg.ModelLoadingConfig.ModelSource = spinup.From(dir)
		d := begin(t, quiet(), cfg)
		err := d.Ready(t.Context())
		require.ErrorIs(t, err, lifecycle.MissingFile)
		require.ErrorContains(t, err, says)
		require.NotEmpty(t, slices.Collect(lifecycle.Hints(err)))
		for s := range d.Timeline().All() {
			require.NotEqual(t, lifecycle.StagePreload, s.Stage, "no process was started")
		}
	}
}

func TestRunTellsWhyItEnded(t *testing.T) {
	t.Parallel()
	cfg := tiny()
	cfg.ModelLoadingConfig.ModelSource = spinup.From("./no-such-directory")
	d, err := spinup.New(quiet(), cfg)
	require.NoError(t, err)
	require.ErrorIs(t, d.Run(t.Context()), lifecycle.NotFound)

	d, err = spinup.New(quiet(), tiny())
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		_ = d.Ready(t.Context())
		cancel()
	}()
	require.NoError(t, d.Run(ctx), "a requested stop is no error")
	require.Zero(t, replicas(d))
	require.ErrorIs(t, d.Start(t.Context()), lifecycle.Invalid, "a deployment runs once")
}

func TestUnknownEngineNamesTheNearest(t *testing.T) {
	t.Parallel()
	cfg := tiny()
	cfg.LLMEngine = "vllm"
	_, err := spinup.New(quiet(), cfg)
	require.ErrorIs(t, err, lifecycle.Invalid)
	require.ErrorContains(t, err, `did you mean "vLLM"?`)
}

func TestStopInTheMiddleOfTheStart(t *testing.T) {
	t.Parallel()
	for _, at := range []lifecycle.Stage{lifecycle.StageResolve, lifecycle.StagePreload, lifecycle.StageLoadWeights, lifecycle.StageWarmup} {
		d, err := spinup.New(quiet(), tiny())
		require.NoError(t, err)
		require.NoError(t, d.Start(t.Context()))
		for e := range d.Events(t.Context()) {
			if e.Stage == at {
				break
			}
		}
		require.NoError(t, d.Stop(t.Context()))
		require.Zero(t, replicas(d))
		require.Error(t, d.Ready(t.Context()))
	}
}

func TestAStageWithoutProgressTimesOut(t *testing.T) {
	t.Parallel()
	o := quiet()
	hold := make(chan struct{})
	t.Cleanup(func() { close(hold) })
	o.Sources = (&counting{dir: tinyModel, hold: hold}).mux()
	o.StageLimits = map[lifecycle.Stage]time.Duration{lifecycle.StageResolve: 50 * time.Millisecond}
	cfg := tiny()
	cfg.ModelLoadingConfig.ModelSource = spinup.From("count://model/tiny")
	d := begin(t, o, cfg)
	err := d.Ready(t.Context())
	require.ErrorIs(t, err, lifecycle.Timeout)
	var e *lifecycle.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, lifecycle.StageResolve, e.Stage)
}

// TestNoSecretLeaves looks for a canary wherever a user may look.
func TestNoSecretLeaves(t *testing.T) {
	t.Parallel()
	const canary = "canary-4711-secret"
	var log lockedBuffer
	o := &spinup.Options{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	cfg := tiny()
	cfg.RuntimeEnv.EnvVars = lifecycle.EnvVars{"HF_TOKEN": canary, "AWS_SECRET_ACCESS_KEY": canary}
	cfg.EngineKwargs.MaxModelLen = 128
	d := begin(t, o, cfg)
	require.NoError(t, d.Ready(t.Context()))
	_, _ = chat(t, d.Handler(), "", "tiny")
	var timeline strings.Builder
	_, _ = d.Timeline().WriteTo(&timeline)
	_, page := get(t, d.StartupPage(), "/debug/startup")
	trace, err := json.Marshal(d.Timeline())
	require.NoError(t, err)
	require.NoError(t, d.Stop(t.Context()))
	events := fmt.Sprintf("%+v", slices.Collect(d.Events(t.Context())))
	for name, text := range map[string]string{
		"log": log.String(), "events": events, "timeline": timeline.String(), "page": page, "trace": string(trace),
		"config": fmt.Sprintf("%+v %#v %v", cfg, cfg, *cfg), "options": fmt.Sprintf("%+v", o),
		"deployment": fmt.Sprintf("%+v", d),
	} {
		require.NotContains(t, text, canary, name)
		require.NotEmpty(t, text, name)
	}
}

func cache(t *testing.T) *download.Cache {
	t.Helper()
	return &download.Cache{StoreDir: t.TempDir()}
}

// counting is a source over a directory that counts, and that can be held.
type counting struct {
	dir      string
	hold     chan struct{} // Resolve waits for it
	resolves atomic.Int64
	opens    atomic.Int64

	holdWeights chan struct{} // the bytes of the weights wait for it
}

func (c *counting) mux() *source.Mux {
	mux := spinup.Sources()
	mux.Handle("count", func(context.Context, *url.URL, *source.OpenOptions) (source.Source, error) { return c, nil })
	return mux
}

func (c *counting) Resolve(ctx context.Context) (*source.Manifest, error) {
	c.resolves.Add(1)
	if c.hold != nil {
		select {
		case <-c.hold:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return nil, err
	}
	man := &source.Manifest{URI: "count://model/tiny", Revision: "1"}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || e.IsDir() {
			return nil, errors.Join(err, errors.New("want a flat directory"))
		}
		man.Files = append(man.Files, source.File{Path: e.Name(), Size: info.Size(), Version: "1"})
	}
	return man, nil
}

func (c *counting) Open(ctx context.Context, f source.File, off, n int64) (io.ReadCloser, error) {
	c.opens.Add(1)
	if c.holdWeights != nil && f.Path == "model.safetensors" && n > 1<<20 {
		select {
		case <-c.holdWeights:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	b, err := os.ReadFile(filepath.Join(c.dir, f.Path))
	if err != nil {
		return nil, err
	}
	b = b[off:]
	if n >= 0 {
		b = b[:n]
	}
	return io.NopCloser(bytes.NewReader(b)), nil
}

// lockedBuffer is written by several goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
