//go:build unix

package spinup_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spinup-llm/spinup"
	"github.com/spinup-llm/spinup/download"
	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/internal/fakeengine"
	"github.com/spinup-llm/spinup/internal/hubtest"
	"github.com/spinup-llm/spinup/internal/randmodel"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/source/local"
	"github.com/stretchr/testify/require"
)

// shelf is a source of adapters over a directory, "shelf://all/NAME", that counts and can fail.
type shelf struct {
	dir      string
	resolves atomic.Int64

	mu   sync.Mutex
	fail func() error // nil: never
	hold chan struct{}
}

func (s *shelf) mux() *source.Mux {
	mux := spinup.Sources()
	mux.Handle("shelf", func(_ context.Context, u *url.URL, _ *source.OpenOptions) (source.Source, error) {
		d, err := local.New(filepath.Join(s.dir, u.Path))
		return &onShelf{Source: d, shelf: s}, err
	})
	return mux
}

// onShelf hides that the files are in place.
type onShelf struct {
	source.Source
	*shelf
}

func (s *onShelf) Resolve(ctx context.Context) (*source.Manifest, error) {
	s.resolves.Add(1)
	s.mu.Lock()
	fail, hold := s.fail, s.hold
	s.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return nil, lifecycle.FromContext(ctx, "shelf", "")
		}
	}
	if fail != nil {
		if err := fail(); err != nil {
			return nil, err
		}
	}
	return s.Source.Resolve(ctx)
}

func (s *shelf) set(change func(*shelf)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

// adapting is a configuration of the fake engine, whose model is one that adapters fit, with
// the adapters a0 … a4 and some that are wrong. A replica holds two.
func adapting(t *testing.T) (*shelf, *spinup.Options, *spinup.LLMConfig) {
	t.Helper()
	model := t.TempDir()
	require.NoError(t, randmodel.Write(model, randmodel.Options{}))
	s := &shelf{dir: t.TempDir()}
	for i := range 5 {
		s.add(t, fmt.Sprint("a", i), randmodel.AdapterOptions{Seed: uint64(i)})
	}
	s.add(t, "team/sql", randmodel.AdapterOptions{})
	s.add(t, "wide", randmodel.AdapterOptions{Model: randmodel.Options{Hidden: 512}})
	s.add(t, "cut", randmodel.AdapterOptions{})
	require.NoError(t, os.Truncate(filepath.Join(s.dir, "cut", "adapter_model.safetensors"), 1000))
	require.NoError(t, os.MkdirAll(filepath.Join(s.dir, "notes", "old"), 0o750))
	require.NoError(t, os.WriteFile(filepath.Join(s.dir, "notes", "README"), []byte("x"), 0o600))
	o := quiet()
	o.Engines = map[string]engine.Engine{"fake": fakeengine.Engine{}}
	o.Sources, o.Cache = s.mux(), cache(t)
	cfg := tiny()
	cfg.LLMEngine, cfg.ModelLoadingConfig.ModelSource = "fake", spinup.From(model)
	cfg.LoraConfig = &spinup.LoraConfig{DynamicLoraLoadingPath: "shelf://all", MaxNumAdaptersPerReplica: 2}
	return s, o, cfg
}

func (s *shelf) add(t *testing.T, name string, o randmodel.AdapterOptions) {
	t.Helper()
	require.NoError(t, randmodel.WriteAdapter(filepath.Join(s.dir, filepath.FromSlash(name)), o))
}

// complete asks the model for a completion.
func complete(t *testing.T, h http.Handler, model string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	body := fmt.Sprintf(`{"model":%q,"prompt":"Hello","max_tokens":1}`, model)
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/completions", strings.NewReader(body)))
	return w.Code, w.Body.String()
}

func TestAdaptersAreServed(t *testing.T) {
	t.Parallel()
	s, o, cfg := adapting(t)
	o.Aliases = map[string]string{"text2sql": "tiny:team/sql"}
	d := begin(t, o, cfg)
	h := d.Handler()
	for _, name := range []string{"tiny", "tiny:a0", "tiny:a1", "tiny:a2", "tiny:a0", "tiny:team/sql"} { // of which two have room
		code, body := complete(t, h, name)
		require.Equal(t, http.StatusOK, code, body)
		require.Contains(t, body, `"model":"`+name+`"`)
	}
	require.Equal(t, int64(4), s.resolves.Load(), "what was found is remembered")
	code, body := complete(t, h, "text2sql")
	require.Equal(t, http.StatusOK, code, body)
	_, list := get(t, h, "/v1/models")
	require.Contains(t, list, `{"id":"tiny:a0","object":"model","created":`)
	require.Contains(t, list, `"owned_by":"spinup","parent":"tiny"}`)
	require.NotContains(t, list, "tiny:a1", "it made room")
	require.Equal(t, []string{"a0", "team/sql"}, d.Status()[0].Replicas[0].Adapters)
}

func TestWrongAdaptersAreToldWhatIsWrong(t *testing.T) {
	t.Parallel()
	s, o, cfg := adapting(t)
	d := begin(t, o, cfg)
	require.NoError(t, d.Ready(t.Context()))
	for name, want := range map[string]struct {
		status int
		says   string
	}{
		"a9":             {404, `did you mean \"a0\"`},
		"notes":          {404, "name a folder with adapter_config.json"},
		"../a0":          {404, "a name has letters"},
		"a0/..":          {404, "a name has letters"},
		"a0/../a1":       {404, "a name has letters"},
		"/etc":           {404, "a name has letters"},
		"a b":            {404, "a name has letters"},
		"cut":            {400, "truncated"},
		"wide":           {400, "made for another model"},
		"wide/../../etc": {404, "a name has letters"},
	} {
		for range 2 {
			code, body := complete(t, d.Handler(), "tiny:"+name)
			require.Equal(t, want.status, code, "%s: %s", name, body)
			require.Contains(t, body, want.says)
			require.NotContains(t, body, s.dir, "where adapters lie is not for clients")
		}
	}
	require.Equal(t, int64(4), s.resolves.Load(), "what failed is remembered, and names are checked before")
	require.Equal(t, 1, d.Status()[0].Ready)
}

func TestASourceThatFailsIsAskedAgain(t *testing.T) {
	t.Parallel()
	s, o, cfg := adapting(t)
	cfg.LoraConfig.MaxDownloadTries = 2
	d := begin(t, o, cfg)
	require.NoError(t, d.Ready(t.Context()))
	var asked atomic.Int64
	s.set(func(s *shelf) {
		s.fail = func() error {
			if asked.Add(1) == 1 {
				return &lifecycle.Error{Kind: lifecycle.Timeout, Err: errors.New("once")}
			}
			return nil
		}
	})
	code, body := complete(t, d.Handler(), "tiny:a0")
	require.Equal(t, http.StatusOK, code, body)
	require.Equal(t, int64(2), asked.Load())
}

func TestAnAdapterThatDoesNotComeIsGivenUp(t *testing.T) {
	t.Parallel()
	s, o, cfg := adapting(t)
	limit := spinup.Seconds(2)
	cfg.LoraConfig.MaxDownloadTries, cfg.LoraConfig.DownloadTimeout = 1, &limit
	s.hold = make(chan struct{})
	d := begin(t, o, cfg)
	code, body := complete(t, d.Handler(), "tiny:a0")
	require.Equal(t, http.StatusServiceUnavailable, code, body)
	require.Contains(t, body, "download_timeout_s")
	close(s.hold)
	code, body = complete(t, d.Handler(), "tiny:a0")
	require.Equal(t, http.StatusOK, code, body)
}

func TestManyAskForANewAdapter(t *testing.T) {
	t.Parallel()
	s, o, cfg := adapting(t)
	s.hold = make(chan struct{})
	d := begin(t, o, cfg)
	require.NoError(t, d.Ready(t.Context()))
	ctx, leave := context.WithCancel(t.Context())
	first := make(chan int)
	h := d.Handler()
	go func() { // the one who looks for it leaves
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodPost, "/v1/completions", strings.NewReader(`{"model":"tiny:a0"}`)))
		first <- w.Code
	}()
	require.Eventually(t, func() bool { return s.resolves.Load() == 1 }, 10*time.Second, time.Millisecond)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if code, body := complete(t, h, "tiny:a0"); code != http.StatusOK {
				t.Error(code, body)
			}
		})
	}
	leave()
	require.Equal(t, 499, <-first)
	close(s.hold)
	wg.Wait()
	require.Equal(t, int64(2), s.resolves.Load())
}

// The deadline of the one who looks is not that of those who wait for what is found.
func TestWhoWaitsForAnAdapterHasADeadlineOfItsOwn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, o, cfg := adapting(t)
		s.hold, o.Downloads = make(chan struct{}), new(download.Manager)
		d, err := spinup.New(o, cfg)
		require.NoError(t, err)
		found := func(ctx context.Context) <-chan error {
			c := make(chan error, 1)
			go func() { c <- d.FindAdapter(ctx, "a0") }()
			synctest.Wait()
			return c
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		first, second := found(ctx), found(t.Context())
		require.Equal(t, int64(1), s.resolves.Load(), "one looks")
		require.ErrorIs(t, <-first, lifecycle.Timeout)
		close(s.hold)
		require.NoError(t, <-second)
		require.Equal(t, int64(2), s.resolves.Load())
	})
}

// TestAdaptersSurviveTheirEngine kills the engine under load of more adapters than it holds.
func TestAdaptersSurviveTheirEngine(t *testing.T) {
	t.Parallel()
	_, o, cfg := adapting(t)
	n := spinup.NumReplicas(2)
	cfg.DeploymentConfig.NumReplicas = &n
	d := begin(t, o, cfg)
	require.NoError(t, d.Ready(t.Context()))
	h := d.Handler()
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var answered atomic.Int64
	for i := range 8 {
		wg.Go(func() {
			for n := i; ctx.Err() == nil; n++ {
				code, body := complete(t, h, fmt.Sprint("tiny:a", n%5))
				if code != http.StatusOK {
					t.Error(code, body)
					return
				}
				answered.Add(1)
			}
		})
	}
	for range 3 {
		before := answered.Load()
		require.Eventually(t, func() bool { return answered.Load() > before+100 }, 30*time.Second, time.Millisecond)
		require.NoError(t, d.Ready(t.Context()))
		killOne(t, cfg.ModelLoadingConfig.ModelSource.URI)
	}
	stop()
	wg.Wait()
}

// TestAdaptersOnTheHub has each adapter in a model of its own, with what a training leaves.
func TestAdaptersOnTheHub(t *testing.T) {
	t.Parallel()
	s, o, cfg := adapting(t)
	h := hubtest.New(t)
	for _, file := range []string{"adapter_config.json", "adapter_model.safetensors"} {
		data, err := os.ReadFile(filepath.Join(s.dir, "a0", file))
		require.NoError(t, err)
		h.Put("org/sql", file, data)
		h.Put("org/sql", "checkpoint-500/"+file, data)
	}
	h.Put("org/sql", "training_args.bin", []byte("x"))
	cfg.LoraConfig.DynamicLoraLoadingPath = "hf://org"
	cfg.RuntimeEnv.EnvVars = h.Env()
	d := begin(t, o, cfg)
	code, body := complete(t, d.Handler(), "tiny:sql")
	require.Equal(t, http.StatusOK, code, body)
	code, body = complete(t, d.Handler(), "tiny:sqk")
	require.Equal(t, http.StatusNotFound, code, body)
	for _, r := range h.Requests() {
		require.NotContains(t, r.Path, "training_args")
		require.NotContains(t, r.Path, "checkpoint-500/")
	}
}

func TestAnEngineWithoutAdaptersIsRefused(t *testing.T) {
	t.Parallel()
	cfg := tiny()
	cfg.LoraConfig = &spinup.LoraConfig{DynamicLoraLoadingPath: "s3://bucket/lora"}
	_, err := spinup.New(quiet(), cfg)
	require.ErrorIs(t, err, lifecycle.Invalid)
	require.ErrorContains(t, err, "the engine reference serves no adapters")
	cfg.LoraConfig = &spinup.LoraConfig{}
	_, err = spinup.New(quiet(), cfg)
	require.NoError(t, err, "without a place for adapters there are none")
}

func TestAliasesOfAdaptersAreChecked(t *testing.T) {
	t.Parallel()
	_, o, cfg := adapting(t)
	for to, fine := range map[string]bool{"tiny:a0": true, "tiny:team/sql": true, "tiny:../a": false, "tiny:": false, "tinny:a0": false} {
		o.Aliases = map[string]string{"sql": to}
		_, err := spinup.New(o, cfg)
		require.Equal(t, fine, err == nil, "%s: %v", to, err)
	}
}

// killOne kills an engine of the model in dir.
func killOne(t *testing.T, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "engine.*"))
	require.NoError(t, err)
	for _, f := range files {
		pid, err := strconv.Atoi(strings.TrimPrefix(filepath.Ext(f), "."))
		require.NoError(t, err)
		require.NoError(t, os.Remove(f))
		if syscall.Kill(pid, syscall.SIGKILL) == nil {
			return
		}
	}
	require.Fail(t, "no engine lives")
}
