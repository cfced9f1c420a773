package spinup_test

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spinup-llm/spinup"
	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/engine/reference"
	"github.com/spinup-llm/spinup/engine/vllm"
	"github.com/spinup-llm/spinup/internal/randmodel"
	"github.com/spinup-llm/spinup/internal/s3test"
	"github.com/spinup-llm/spinup/internal/testenv"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/replica/local"
	"github.com/spinup-llm/spinup/source/s3"
	"github.com/stretchr/testify/require"
)

var errSeen = errors.New("seen enough")

// inspected is an engine that notes what it is asked to serve, and refuses it.
type inspected struct {
	reference.Engine
	mu    sync.Mutex
	specs []engine.Spec
}

func (e *inspected) CheckKwargs(engine.Spec) error { return nil }

func (e *inspected) Check(spec engine.Spec) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.specs = append(e.specs, spec)
	return errSeen
}

// shardedModel writes a model of four files of weights.
func shardedModel(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, randmodel.Write(dir, randmodel.Options{Shards: 4}))
	return dir
}

// upload puts a folder into the fake, as s3://models/llama.
func upload(t *testing.T, f *s3test.Fake, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		require.NoError(t, err)
		f.Put("models", "llama/"+e.Name(), data)
	}
}

func streamingConfig(uri string, env lifecycle.EnvVars, kwargs spinup.EngineOptions) *spinup.LLMConfig {
	return &spinup.LLMConfig{
		ModelLoadingConfig: spinup.ModelLoadingConfig{ModelID: "tiny", ModelSource: spinup.From(uri)},
		EngineKwargs:       kwargs,
		RuntimeEnv:         spinup.RuntimeEnv{EnvVars: env},
	}
}

// withS3 has buckets beside the defaults, and a cache of the test's own.
func withS3(t *testing.T, e engine.Engine) *spinup.Options {
	t.Helper()
	o := quiet()
	o.Sources = spinup.Sources()
	o.Sources.Handle("s3", s3.Opener(nil))
	o.Cache = cache(t)
	o.Engines = map[string]engine.Engine{"vLLM": e}
	o.Provisioner = &local.Provisioner{Accelerator: "none"}
	return o
}

// weightFiles counts those below dir.
func weightFiles(t *testing.T, dir string) (n int) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".safetensors") && !d.IsDir() {
			n++
		}
		return err
	}))
	return n
}

// Of a bucket only the small files are fetched, and the headers of the others read: the
// engine gets the place of the weights.
func TestStreamingLeavesTheWeights(t *testing.T) {
	t.Parallel()
	fake := s3test.NewFake(t)
	upload(t, fake, shardedModel(t))
	for _, uri := range []string{"s3://models/llama", "s3://anonymous@models/llama"} {
		seen := &inspected{}
		d := begin(t, withS3(t, seen), streamingConfig(uri, fake.Env(), spinup.EngineOptions{LoadFormat: "runai_streamer"}))
		require.ErrorIs(t, d.Ready(t.Context()), errSeen)
		require.Len(t, seen.specs, 1)
		spec := seen.specs[0]
		want := &url.URL{Scheme: "s3", Host: "models", Path: "/llama"}
		if strings.Contains(uri, "anonymous@") {
			want.User = url.User("anonymous")
		}
		require.Equal(t, want, spec.Weights)
		require.FileExists(t, filepath.Join(spec.Dir, "config.json"))
		require.FileExists(t, filepath.Join(spec.Dir, "tokenizer.json"))
		require.Zero(t, weightFiles(t, spec.Dir))
		told(t, d, lifecycle.StageDownload, "streams 4 weight files")
	}
}

// told requires that a message of stage holds text.
func told(t *testing.T, d *spinup.Deployment, stage lifecycle.Stage, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for e := range d.Events(ctx) {
		if e.Stage == stage && strings.Contains(e.Message, text) {
			return
		}
	}
	require.Fail(t, "nothing was told of it", "%s: %s", stage, text)
}

// What the engine would find out when it streams is told before it starts.
func TestStreamingChecksTheBucket(t *testing.T) {
	t.Parallel()
	model := shardedModel(t)
	const one = "llama/model-00002-of-00004.safetensors"
	sharded := spinup.EngineOptions{LoadFormat: "runai_streamer_sharded", TensorParallelSize: 2}
	for name, c := range map[string]struct {
		damage func(*s3test.Fake)
		kwargs spinup.EngineOptions
		kind   lifecycle.Kind
		text   string
	}{
		"a shard is missing": {func(f *s3test.Fake) { f.Delete("models", one) }, spinup.EngineOptions{LoadFormat: "runai_streamer"}, lifecycle.MissingFile, one},
		"a shard is cut":     {func(f *s3test.Fake) { f.Put("models", one, []byte("cut")) }, spinup.EngineOptions{LoadFormat: "runai_streamer"}, lifecycle.Corrupt, one},
		"no ETag": {func(f *s3test.Fake) {
			f.PutObject("models", "llama/more.safetensors", s3test.Object{NoETag: true})
		}, spinup.EngineOptions{LoadFormat: "runai_streamer"}, lifecycle.Invalid, "no ETag"},
		"not saved by rank": {func(*s3test.Fake) {}, sharded, lifecycle.MissingFile, "rank 0 of 2 has no file"},
		"a rank is missing": {func(f *s3test.Fake) {
			f.Put("models", "llama/part-0-0.safetensors", []byte("\x02\x00\x00\x00\x00\x00\x00\x00{}"))
		}, spinup.EngineOptions{LoadFormat: "runai_streamer_sharded", TensorParallelSize: 2, Extra: map[string]any{
			"model_loader_extra_config": map[string]any{"pattern": "part-{rank}-{part}.safetensors"},
		}}, lifecycle.MissingFile, "part-1-*.safetensors"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := s3test.NewFake(t)
			upload(t, fake, model)
			c.damage(fake)
			seen := &inspected{}
			d := begin(t, withS3(t, seen), streamingConfig("s3://models/llama", fake.Env(), c.kwargs))
			err := d.Ready(t.Context())
			require.ErrorIs(t, err, c.kind)
			require.ErrorContains(t, err, c.text)
			require.Empty(t, seen.specs, "the engine was asked")
		})
	}
}

// A directory is streamed where it is.
func TestStreamingFromADirectory(t *testing.T) {
	t.Parallel()
	model, seen := shardedModel(t), &inspected{}
	d := begin(t, withS3(t, seen), streamingConfig(model, nil, spinup.EngineOptions{LoadFormat: "runai_streamer"}))
	require.ErrorIs(t, d.Ready(t.Context()), errSeen)
	require.Nil(t, seen.specs[0].Weights)
	require.Equal(t, model, seen.specs[0].Dir)
}

// Real vLLM streams a model from a real server, and no weight file is written to disk.
func TestStreamingWithVLLM(t *testing.T) {
	t.Parallel()
	program := testenv.VLLM(t)
	server := s3test.Start(t)
	server.Upload(t, "models", "llama", shardedModel(t))
	o := withS3(t, vllm.Engine{Path: program})
	home := t.TempDir()
	env := server.Env()
	env["HOME"], env["VLLM_CACHE_ROOT"] = home, filepath.Join(home, "vllm")
	d := begin(t, o, streamingConfig("s3://models/llama", env, spinup.EngineOptions{
		LoadFormat: "runai_streamer", EnforceEager: new(true), MaxModelLen: 256,
		Extra: map[string]any{"model_loader_extra_config": map[string]any{"concurrency": 2}},
	}))
	require.NoError(t, d.Ready(t.Context()))
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/completions", strings.NewReader(`{"model":"tiny","prompt":"Hello","max_tokens":4}`))
	r.Header.Set("Content-Type", "application/json")
	d.Handler().ServeHTTP(w, r)
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	require.Zero(t, weightFiles(t, home))
	require.Zero(t, weightFiles(t, o.Cache.StoreDir))
	told(t, d, lifecycle.StageDownload, "vLLM streams 4 weight files")
	told(t, d, lifecycle.StageLoadWeights, "Runai Model Streamer")
}

// What cannot be read in place is fetched, and the engine streams from the directory.
func TestStreamingFromElsewhere(t *testing.T) {
	t.Parallel()
	hub, fake := onHub(t, "org/tiny"), s3test.NewFake(t)
	upload(t, fake, shardedModel(t))
	fake.PutObject("models", "llama/README.md", s3test.Object{ETag: `"of-2"`})
	fake.Put("models", "llama/model-rank-0-part-0.safetensors", []byte("\x02\x00\x00\x00\x00\x00\x00\x00{}"))
	for uri, c := range map[string]struct {
		env    lifecycle.EnvVars
		kwargs spinup.EngineOptions
		local  bool
	}{
		"org/tiny":          {hub.Env(), spinup.EngineOptions{LoadFormat: "runai_streamer"}, true},
		"s3://models/llama": {fake.Env(), spinup.EngineOptions{LoadFormat: "sharded_state"}, true},
		"S3://models/llama": {fake.Env(), spinup.EngineOptions{LoadFormat: "runai_streamer_sharded"}, false},
	} {
		seen := &inspected{}
		d := begin(t, withS3(t, seen), streamingConfig(uri, c.env, c.kwargs))
		require.ErrorIs(t, d.Ready(t.Context()), errSeen, uri)
		require.Equal(t, c.local, seen.specs[0].Weights == nil, uri)
		require.Equal(t, c.local, weightFiles(t, seen.specs[0].Dir) > 0, uri)
		if uri != "org/tiny" {
			told(t, d, lifecycle.StageResolve, "1 of 11 files have no checksum")
		} else {
			told(t, d, lifecycle.StageDownload, "fetched before the engine reads it: the engine has no way")
		}
	}
}

// What streaming left out is fetched once a configuration wants it, into the same place.
func TestStreamingThenFetching(t *testing.T) {
	t.Parallel()
	fake, seen := s3test.NewFake(t), &inspected{}
	upload(t, fake, shardedModel(t))
	o := withS3(t, seen)
	for _, format := range []string{"runai_streamer", "", "runai_streamer"} {
		d := begin(t, o, streamingConfig("s3://models/llama", fake.Env(), spinup.EngineOptions{LoadFormat: format}))
		require.ErrorIs(t, d.Ready(t.Context()), errSeen)
		require.NoError(t, d.Stop(t.Context()))
	}
	require.Equal(t, seen.specs[0].Dir, seen.specs[1].Dir)
	require.Equal(t, 4, weightFiles(t, seen.specs[1].Dir))
	require.Nil(t, seen.specs[1].Weights)
	require.NotNil(t, seen.specs[2].Weights)
}
