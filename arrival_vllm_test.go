package spinup_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/spinup-llm/spinup"
	"github.com/spinup-llm/spinup/engine/vllm"
	"github.com/spinup-llm/spinup/internal/hubtest"
	"github.com/spinup-llm/spinup/internal/s3test"
	"github.com/spinup-llm/spinup/internal/testenv"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

// held is an origin's handler that holds weights, but not their headers, until an engine loads
// them, and counts what it sends of them.
type held struct {
	suffix string // of the weights' paths
	sent   atomic.Int64
	begin  chan struct{}
}

func (h *held) answer(w http.ResponseWriter, r *http.Request, next http.Handler) {
	var first, last int64
	_, _ = fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d", &first, &last)
	whole := r.Header.Get("Range") == "" || last-first > 100_000
	if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, h.suffix) && whole {
		<-h.begin
		hubtest.Watch(func(n int) { h.sent.Add(int64(n)) })(w, r, next)
		return
	}
	next.ServeHTTP(w, r)
}

// released lets the weights come once the engine loads them.
func (h *held) released(t *testing.T, d *spinup.Deployment) {
	t.Helper()
	begin := sync.OnceFunc(func() { close(h.begin) })
	var wg sync.WaitGroup
	t.Cleanup(func() {
		begin()
		wg.Wait()
	})
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	wg.Go(func() {
		for e := range d.Events(ctx) {
			if e.Stage == lifecycle.StageLoadWeights {
				begin()
			}
		}
	})
}

// proxy puts h before a server, whose address it has for its clients.
func (h *held) proxy(t *testing.T, endpoint string) string {
	t.Helper()
	to, err := url.Parse(endpoint)
	require.NoError(t, err)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	p := &httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host = to.Scheme, to.Host // the Host is signed, and stays
	}}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.answer(w, r, p) }))
	t.Cleanup(srv.Close)
	return srv.URL
}

func completesWith(t *testing.T, d *spinup.Deployment) {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/completions", strings.NewReader(`{"model":"tiny","prompt":"Hello","max_tokens":4}`))
	r.Header.Set("Content-Type", "application/json")
	d.Handler().ServeHTTP(w, r)
	require.Equal(t, http.StatusOK, w.Code, w.Body)
}

// Real vLLM streams from this host while the weights arrive there: from the hub, and two
// replicas from a real S3 server with one download.
func TestThroughTheHostWithVLLM(t *testing.T) {
	t.Parallel()
	program := testenv.VLLM(t)
	for name, replicas := range map[string]int{"hub": 1, "s3": 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, model := &held{begin: make(chan struct{})}, shardedModel(t)
			o := withS3(t, vllm.Engine{Path: program})
			uri := "s3://models/llama"
			var env lifecycle.EnvVars
			if name == "hub" {
				hub := hubtest.New(t)
				entries, err := os.ReadDir(model)
				require.NoError(t, err)
				for _, e := range entries {
					data, err := os.ReadFile(filepath.Join(model, e.Name()))
					require.NoError(t, err)
					hub.Put("org/tiny", e.Name(), data)
				}
				hub.Restrict("org/tiny", hubtest.Access{Gated: true})
				hub.Break(hubtest.Fault{CDN: true, Do: h.answer})
				uri, env = "org/tiny", hub.Env()
				env["HF_TOKEN"] = hubtest.Token
			} else {
				server := s3test.Start(t)
				server.Upload(t, "models", "llama", model)
				h.suffix = ".safetensors"
				env, o.StreamThroughHost = server.Env(), true
				env["AWS_ENDPOINT_URL"] = h.proxy(t, server.Endpoint)
			}
			home := t.TempDir()
			env["HOME"], env["VLLM_CACHE_ROOT"] = home, filepath.Join(home, "vllm")
			cfg := streamingConfig(uri, env, spinup.EngineOptions{
				LoadFormat: "runai_streamer", EnforceEager: new(true), MaxModelLen: 256,
				Extra: map[string]any{"model_loader_extra_config": map[string]any{"concurrency": 2}},
			})
			n := spinup.NumReplicas(replicas)
			cfg.DeploymentConfig.NumReplicas = &n
			d := begin(t, o, cfg)
			h.released(t, d)
			require.NoError(t, d.Ready(t.Context()))
			completesWith(t, d)
			told(t, d, lifecycle.StageDownload, "vLLM streams 4 weight files")
			told(t, d, lifecycle.StageLoadWeights, "Runai Model Streamer")
			sum := weightBytes(t, model)
			require.GreaterOrEqual(t, h.sent.Load(), sum)
			require.Less(t, h.sent.Load(), sum+sum/4, "what a cut connection had sent is fetched again, and no more")
			require.Zero(t, weightFiles(t, home))
		})
	}
}

func weightBytes(t *testing.T, dir string) (sum int64) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.safetensors"))
	require.NoError(t, err)
	for _, f := range files {
		info, err := os.Stat(f)
		require.NoError(t, err)
		sum += info.Size()
	}
	return sum
}

// What examples/shard saves for two ranks, and S3 has then, two workers stream: from the
// bucket, and through this host.
func TestShardedStreamingWithVLLM(t *testing.T) {
	t.Parallel()
	program := testenv.VLLM(t)
	saved := filepath.Join(t.TempDir(), "sharded")
	save := exec.CommandContext(t.Context(), filepath.Join(filepath.Dir(program), "python"),
		filepath.Join(testenv.Root(t), "examples/shard/save.py"), shardedModel(t), saved, "2")
	save.Env = append(os.Environ(), "HOME="+t.TempDir(), "HF_HUB_OFFLINE=1", "VLLM_NO_USAGE_STATS=1",
		"VLLM_CPU_KVCACHE_SPACE=1", "VLLM_CPU_OMP_THREADS_BIND=nobind", "OMP_NUM_THREADS=1")
	out, err := save.CombinedOutput()
	require.NoError(t, err, string(out))
	server := s3test.Start(t)
	server.Upload(t, "models", "llama", saved)
	env := server.Env()
	home := t.TempDir()
	env["HOME"], env["VLLM_CACHE_ROOT"] = home, filepath.Join(home, "vllm")
	d := begin(t, withS3(t, vllm.Engine{Path: program}), streamingConfig("s3://models/llama", env, spinup.EngineOptions{
		LoadFormat: "runai_streamer_sharded", TensorParallelSize: 2, EnforceEager: new(true), MaxModelLen: 256,
	}))
	require.NoError(t, d.Ready(t.Context()))
	completesWith(t, d)
	told(t, d, lifecycle.StageDownload, "vLLM streams 2 weight files")
	require.Zero(t, weightFiles(t, home))
}
