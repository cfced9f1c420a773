//go:build unix

package spinup_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spinup-llm/spinup"
	"github.com/spinup-llm/spinup/download"
	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/internal/compilecache"
	"github.com/spinup-llm/spinup/internal/fakeengine"
	"github.com/spinup-llm/spinup/internal/gcstest"
	"github.com/spinup-llm/spinup/internal/s3test"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source/gcs"
	"github.com/spinup-llm/spinup/source/s3"
	"github.com/stretchr/testify/require"
)

// compiling is a deployment, on a machine of its own, of an engine that compiles, with a
// cache at uri.
func compiling(t *testing.T, uri string) (*spinup.Options, *spinup.LLMConfig) {
	t.Helper()
	o := quiet()
	o.Engines = map[string]engine.Engine{"fake": fakeengine.Cacher{}}
	o.Cache = &download.Cache{StoreDir: t.TempDir()}
	o.Sources = spinup.Sources()
	o.Sources.Handle("s3", s3.Opener(nil))
	o.Sources.Handle("gs", gcs.Opener(nil))
	o.CompileCache = uri
	cfg := tiny()
	cfg.LLMEngine = "fake"
	model := t.TempDir() // the fake leaves files there
	require.NoError(t, os.CopyFS(model, os.DirFS(tinyModel)))
	cfg.ModelLoadingConfig.ModelSource = spinup.From(model)
	return o, cfg
}

// compiles starts a deployment to its end, and returns what its engine found in the cache and
// what was told of the cache.
func compiles(t *testing.T, o *spinup.Options, cfg *spinup.LLMConfig) (found string, told []string) {
	t.Helper()
	d := begin(t, o, cfg)
	require.NoError(t, d.Ready(t.Context()))
	require.NoError(t, d.Stop(context.WithoutCancel(t.Context()))) // what is being published still is
	for span := range d.Timeline().All() {
		switch span.Stage {
		case lifecycle.StageCompile:
			found = span.Message
		case lifecycle.StageCompileCache:
			require.False(t, span.End.IsZero())
			told = append(told, span.Message)
		default:
		}
	}
	rooms, err := os.ReadDir(filepath.Join(o.Cache.StoreDir, ".compile"))
	require.NoError(t, err)
	require.Len(t, rooms, 1, "no room is left, only the gate")
	return found, told
}

func TestASecondMachineFindsWhatTheFirstCompiled(t *testing.T) {
	t.Parallel()
	for name, place := range map[string]func(*testing.T, *spinup.LLMConfig) string{
		"directory": func(t *testing.T, _ *spinup.LLMConfig) string { t.Helper(); return filepath.Join(t.TempDir(), "new") },
		"s3": func(t *testing.T, cfg *spinup.LLMConfig) string {
			t.Helper()
			srv := s3test.Start(t)
			srv.Bucket(t, "caches")
			cfg.RuntimeEnv.EnvVars = srv.Env()
			return "s3://caches/compiled"
		},
		"gs": func(t *testing.T, cfg *spinup.LLMConfig) string {
			t.Helper()
			srv := gcstest.Start(t)
			srv.Bucket(t, "caches")
			cfg.RuntimeEnv.EnvVars = srv.Env()
			return "gs://caches/compiled"
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var secrets spinup.LLMConfig
			uri := place(t, &secrets)
			o, cfg := compiling(t, uri)
			cfg.RuntimeEnv = secrets.RuntimeEnv
			found, told := compiles(t, o, cfg)
			require.Equal(t, "miss", found)
			require.Len(t, told, 2)
			require.Contains(t, told[0], "miss: ")
			require.Contains(t, told[1], "published ")

			o, cfg = compiling(t, uri)
			cfg.RuntimeEnv = secrets.RuntimeEnv
			found, told = compiles(t, o, cfg)
			require.Equal(t, "hit", found)
			require.Len(t, told, 1)
			require.Contains(t, told[0], "hit: 1 files, 8 bytes")

			o, cfg = compiling(t, uri)
			cfg.RuntimeEnv = secrets.RuntimeEnv
			cfg.EngineKwargs.Extra = map[string]any{"modes": "brood"}
			found, _ = compiles(t, o, cfg)
			require.Equal(t, "miss", found, "other kwargs")
		})
	}
}

// packs are the files that were published in a directory.
func packs(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*", "cache.tar.gz"))
	require.NoError(t, err)
	return files
}

func TestABrokenCacheFailsNoStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o, cfg := compiling(t, dir)
	compiles(t, o, cfg)
	require.Len(t, packs(t, dir), 1)
	data, err := os.ReadFile(packs(t, dir)[0])
	require.NoError(t, err)
	data[len(data)/2] ^= 1
	require.NoError(t, os.WriteFile(packs(t, dir)[0], data, 0o600))

	o, cfg = compiling(t, dir)
	found, told := compiles(t, o, cfg)
	require.Equal(t, "miss", found)
	require.Contains(t, told[0], "corrupt")
	require.Contains(t, told[0], "remove it")
	require.Contains(t, told[1], "another start has published")
}

// A start that fails with what another one has compiled goes on without.
func TestPoisonFailsNoStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o, cfg := compiling(t, dir)
	compiles(t, o, cfg)
	poison(t, packs(t, dir)[0])
	o, cfg = compiling(t, dir)
	d := begin(t, o, cfg)
	require.NoError(t, d.Ready(t.Context()))
	skipped := awaitEvent(t, d, lifecycle.StageCompileCache, lifecycle.Skip)
	require.Contains(t, skipped.Message, "starts once more without")
	require.Contains(t, skipped.Message, "illegal instruction")
}

// poison exchanges what is in a pack.
func poison(t *testing.T, pack string) {
	t.Helper()
	f, err := os.Open(pack)
	require.NoError(t, err)
	defer f.Close()
	zip, err := gzip.NewReader(f)
	require.NoError(t, err)
	first := tar.NewReader(zip)
	_, err = first.Next()
	require.NoError(t, err)
	var index struct{ Key compilecache.Key }
	require.NoError(t, json.NewDecoder(first).Decode(&index))
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "code"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "code", "model.so"), []byte("poison"), 0o600))
	var out bytes.Buffer
	_, err = compilecache.Pack(t.Context(), &out, dir, index.Key, fakeengine.Cacher{}.Cached)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(pack, out.Bytes(), 0o600))
}

// A model whose file has changed is another one, though its size is the same.
func TestAnotherModelIsAMiss(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o, cfg := compiling(t, dir)
	compiles(t, o, cfg)
	o, cfg = compiling(t, dir)
	config := filepath.Join(cfg.ModelLoadingConfig.ModelSource.URI, "config.json")
	text, err := os.ReadFile(config)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(config, []byte(strings.Replace(string(text), "  ", "\t ", 1)), 0o600))
	found, _ := compiles(t, o, cfg)
	require.Equal(t, "miss", found)
	require.Len(t, packs(t, dir), 2)
}

func TestOfManyReplicasOnePublishes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o, cfg := compiling(t, dir)
	cfg.DeploymentConfig.NumReplicas = new(spinup.NumReplicas(4))
	_, told := compiles(t, o, cfg)
	published := 0
	for _, text := range told {
		if strings.HasPrefix(text, "published ") {
			published++
		}
	}
	require.Equal(t, 1, published, "%q", told)
	require.Len(t, packs(t, dir), 1)
}

// The cache is asked within its limit, and nothing that goes wrong with it is the start's.
func TestAFailingCacheIsOnlyTold(t *testing.T) {
	t.Parallel()
	hang := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(hang.Close)
	gone := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(gone.Close)
	for name, c := range map[string]struct{ uri, first, second string }{
		"hangs":             {hang.URL + "/caches", "no progress for 300ms", "nothing can be stored there"},
		"cannot be written": {gone.URL + "/caches", "miss: ", "nothing can be stored there"},
		"has a secret":      {gone.URL + "/caches?sig=canary", "", ""},
		"is a file":         {filepath.Join(tinyModel, "config.json"), "", "not a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, cfg := compiling(t, c.uri)
			if name == "hangs" { // the others answer, also on a busy machine
				o.StageLimits = map[lifecycle.Stage]time.Duration{lifecycle.StageCompileCache: 300 * time.Millisecond}
			}
			d := begin(t, o, cfg)
			require.NoError(t, d.Ready(t.Context()))
			require.NoError(t, d.Stop(context.WithoutCancel(t.Context())))
			var told []string
			for span := range d.Timeline().All() {
				if span.Stage == lifecycle.StageCompileCache {
					told = append(told, span.Message)
				}
			}
			require.Contains(t, told[0], c.first)
			require.NotContains(t, strings.Join(told, ""), "canary")
			if c.second != "" {
				require.Len(t, told, 2)
				require.Contains(t, told[1], c.second)
			}
		})
	}
}

func TestStartRefusesACompileCacheThatNothingOpens(t *testing.T) {
	t.Parallel()
	o, cfg := compiling(t, "nosuch://caches")
	d, err := spinup.New(o, cfg)
	require.NoError(t, err)
	err = d.Start(t.Context())
	require.ErrorIs(t, err, lifecycle.Invalid)
	require.NoError(t, d.Stop(t.Context()))
	require.ErrorContains(t, err, "Options.CompileCache: source.Open nosuch://caches/KEY/: invalid: no driver is registered")
}

// Who asks for a cache hears that the engine has none.
func TestEnginesThatCompileNothingSaySo(t *testing.T) {
	t.Parallel()
	o := quiet()
	o.CompileCache = t.TempDir()
	d := begin(t, o, tiny())
	require.NoError(t, d.Ready(t.Context()))
	said := awaitEvent(t, d, lifecycle.StageCompileCache, lifecycle.Skip)
	require.Equal(t, "reference keeps nothing that it compiles", said.Message)
}

// other is a hook that changes what compiled code depends on.
type other struct{ spinup.NopCallback }

func (other) OnBeforeEngineStart(_ context.Context, s *spinup.ReplicaState) error {
	s.Spec.Kwargs["modes"] = "early-slow"
	return nil
}

func TestAHookMayChangeTheKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o, cfg := compiling(t, dir)
	cfg.CallbackConfig.Instance = other{}
	found, told := compiles(t, o, cfg)
	require.Empty(t, found, "without a room the engine keeps nothing")
	require.Contains(t, told[1], "OnBeforeEngineStart has changed")
	require.Empty(t, packs(t, dir))
}

// awaitEvent returns the first event of stage and phase.
func awaitEvent(t *testing.T, d *spinup.Deployment, stage lifecycle.Stage, phase lifecycle.Phase) lifecycle.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for e := range d.Events(ctx) {
		if e.Stage == stage && e.Phase == phase {
			return e
		}
	}
	require.Fail(t, "no such event", "%s %s", phase, stage)
	return lifecycle.Event{}
}
