package spinup_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/spinup-llm/spinup"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/replica"
	"github.com/stretchr/testify/require"
)

// traffic sends requests, half of them streams, from several clients until it is stopped.
type traffic struct {
	sent, answered, interrupted atomic.Int64

	mu     sync.Mutex
	failed []string
}

// run starts clients and returns what stops them and waits for their last answers.
func (l *traffic) run(t *testing.T, d *spinup.Deployment, clients int) (stop func()) {
	t.Helper()
	server := httptest.NewServer(d.Handler())
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			for n := i; ctx.Err() == nil; n++ {
				l.request(t, server, n%2 == 0)
			}
		})
	}
	stop = sync.OnceFunc(func() {
		cancel()
		wg.Wait()
		server.Close()
	})
	t.Cleanup(stop)
	return stop
}

func (l *traffic) request(t *testing.T, server *httptest.Server, stream bool) {
	t.Helper()
	l.sent.Add(1)
	body := fmt.Sprintf(`{"model":"tiny","prompt":"Hello","max_tokens":12,"temperature":0,"ignore_eos":true,"stream":%t}`, stream)
	r, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodPost, server.URL+"/v1/completions", strings.NewReader(body))
	if err != nil {
		l.fail(err.Error())
		return
	}
	resp, err := server.Client().Do(r)
	if err != nil {
		l.fail(err.Error())
		return
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	tokens := strings.Count(string(text), `"choices"`)
	switch {
	case err != nil || resp.StatusCode != http.StatusOK:
		l.fail(fmt.Sprint(resp.Status, " ", err, " ", string(text)))
	case !stream, bytes.HasSuffix(text, []byte("data: [DONE]\n\n")):
		l.answered.Add(1)
	case tokens > 0 && strings.Contains(string(text), "\ndata: {\"error\":{\"message\":\"") && bytes.HasSuffix(text, []byte("}\n\n")):
		l.interrupted.Add(1)
	default:
		l.fail(fmt.Sprintf("a stream with %d tokens: %q", tokens, text))
	}
}

func (l *traffic) fail(why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed = append(l.failed, why)
}

func (l *traffic) report(t *testing.T) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	t.Logf("%d requests: %d answered, %d interrupted with an error event, %d failed",
		l.sent.Load(), l.answered.Load(), l.interrupted.Load(), len(l.failed))
	require.Empty(t, l.failed)
	require.Equal(t, l.sent.Load(), l.answered.Load()+l.interrupted.Load())
}

// engines returns the process of each ready replica.
func engines(t *testing.T, d *spinup.Deployment) (pids []int) {
	t.Helper()
	ready := map[string]bool{}
	for _, r := range d.Status()[0].Replicas {
		ready[r.ID] = r.Stage == lifecycle.StageReady
	}
	var addrs []string
	for s := range d.Timeline().All() {
		if s.Stage == lifecycle.StageReady && ready[s.Replica] {
			addrs = append(addrs, strings.TrimPrefix(s.Message, "http://"))
		}
	}
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(t, err)
	for _, f := range files {
		line, _ := os.ReadFile(f)
		args := strings.Split(string(line), "\x00")
		if len(args) > 1 && args[1] == "spinup-reference-engine" && slices.ContainsFunc(addrs, func(a string) bool { return slices.Contains(args, a) }) {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(f)))
			require.NoError(t, err)
			pids = append(pids, pid)
		}
	}
	return pids
}

// kills is how often an engine is killed: SPINUP_KILLS, else a few times.
func kills(t *testing.T) int {
	t.Helper()
	n, err := strconv.Atoi(os.Getenv("SPINUP_KILLS"))
	if err != nil {
		return 3
	}
	return n
}

// TestNoRequestIsLostWhenEnginesAreKilled kills engines at random moments under load.
//
//nolint:paralleltest // its load would disturb those that look at the clock
func TestNoRequestIsLostWhenEnginesAreKilled(t *testing.T) {
	if _, err := os.Stat("/proc/self/cmdline"); err != nil {
		t.Log("processes are found by /proc")
		return
	}
	cfg := tiny()
	n := spinup.NumReplicas(2)
	cfg.DeploymentConfig.NumReplicas = &n
	d := begin(t, quiet(), cfg)
	require.NoError(t, d.Ready(t.Context()))
	t.Cleanup(func() {
		if t.Failed() {
			w := httptest.NewRecorder()
			d.StartupPage().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
			t.Log(w.Body)
		}
	})
	var l traffic
	stop := l.run(t, d, 4)
	var recovered []time.Duration
	for range kills(t) {
		<-time.After(time.Duration(rand.IntN(300)) * time.Millisecond)
		require.Eventually(t, func() bool { return len(engines(t, d)) == 2 }, time.Minute, 5*time.Millisecond)
		victim := engines(t, d)[rand.IntN(2)]
		begun := time.Now()
		require.NoError(t, syscall.Kill(victim, syscall.SIGKILL))
		require.Eventually(t, func() bool {
			pids := engines(t, d)
			return len(pids) == 2 && !slices.Contains(pids, victim)
		}, time.Minute, 5*time.Millisecond)
		recovered = append(recovered, time.Since(begun).Round(time.Millisecond))
	}
	stop()
	t.Logf("full strength after %v", recovered)
	l.report(t)
	require.NotZero(t, l.answered.Load())
}

//nolint:paralleltest // as above
func TestAStoppedEngineIsReplaced(t *testing.T) {
	if _, err := os.Stat("/proc/self/cmdline"); err != nil {
		t.Log("processes are found by /proc")
		return
	}
	o := quiet()
	o.Limits.Stall = time.Second
	cfg, told := tiny(), failures{causes: make(chan error, 9)}
	cfg.CallbackConfig.Instance = told
	d := begin(t, o, cfg)
	require.NoError(t, d.Ready(t.Context()))
	freeze(t, engines(t, d)[0])
	code, body := chat(t, d.Handler(), "", "tiny")
	require.Equal(t, http.StatusOK, code, body)
	st := d.Status()[0].Replicas[0]
	require.Equal(t, 1, st.Restarts)
	require.Contains(t, st.LastError, "no sign of life")
	require.ErrorContains(t, <-told.causes, "no sign of life")
}

// freeze stops a process, and returns when none of its threads runs any more.
func freeze(t *testing.T, pid int) {
	t.Helper()
	require.NoError(t, syscall.Kill(pid, syscall.SIGSTOP))
	require.Eventually(t, func() bool {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
		require.NoError(t, err)
		return len(threads) > 0 && !slices.ContainsFunc(threads, func(path string) bool {
			stat, err := os.ReadFile(path)
			return err == nil && !strings.Contains(string(stat), ") T ")
		})
	}, 10*time.Second, time.Millisecond)
}

// failures is a callback that tells of failures.
type failures struct {
	spinup.NopCallback
	causes chan error
}

func (f failures) OnFailure(_ context.Context, _ *spinup.ReplicaState, cause error) error {
	f.causes <- cause
	return nil
}

// ends is a callback that writes down which hook told of the end.
type ends struct {
	spinup.NopCallback
	said chan string
}

func (e ends) OnFailure(context.Context, *spinup.ReplicaState, error) error {
	e.said <- "OnFailure"
	return nil
}

func (e ends) OnStop(context.Context, *spinup.ReplicaState) error {
	e.said <- "OnStop"
	return nil
}

// Of an engine that dies while it drains one hook tells: which one depends on whether it was told to stop before.
func TestOneHookTellsOfTheEnd(t *testing.T) {
	t.Parallel()
	for _, dies := range []bool{false, true} {
		cfg, told := tiny(), ends{said: make(chan string, 9)}
		cfg.CallbackConfig.Instance = told
		d := begin(t, quiet(), cfg)
		require.NoError(t, d.Ready(t.Context()))
		want, pid := []string{"OnStop"}, engines(t, d)[0]
		if dies {
			want = append(want, "OnFailure")
			freeze(t, pid)
			server := httptest.NewServer(d.Handler())
			t.Cleanup(server.Close)
			var l traffic
			go l.request(t, server, false)
			require.Eventually(t, func() bool { return d.Status()[0].Ongoing > 0 }, 10*time.Second, time.Millisecond)
		}
		stopped := make(chan error, 1)
		go func() { stopped <- d.Stop(t.Context()) }()
		if dies {
			awaitEvent(t, d, lifecycle.StageDrain, lifecycle.Begin)
			require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
		}
		require.NoError(t, <-stopped)
		require.Contains(t, want, <-told.said)
		require.Empty(t, told.said)
	}
}

func TestUpdateUnderLoad(t *testing.T) {
	t.Parallel()
	d := begin(t, quiet(), tiny())
	require.NoError(t, d.Ready(t.Context()))
	var l traffic
	stop := l.run(t, d, 3)
	two := spinup.NumReplicas(2)
	next := tiny()
	next.DeploymentConfig.NumReplicas = &two
	next.EngineKwargs.MaxModelLen = 64
	require.NoError(t, d.Update(t.Context(), next))
	st := d.Status()[0]
	require.Equal(t, 2, st.Ready)
	require.Len(t, st.Replicas, 2)
	require.NotEqual(t, "tiny#1", st.Replicas[0].ID, "the old one has gone")
	stop()
	l.report(t)
	require.Zero(t, l.interrupted.Load(), "streams end before their engine does")
	long := fmt.Sprintf(`{"model":"tiny","prompt":%q,"max_tokens":1}`, strings.Repeat("word ", 100))
	w := httptest.NewRecorder()
	d.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/completions", strings.NewReader(long)))
	require.Equal(t, http.StatusBadRequest, w.Code, "the new limit of tokens holds: %s", w.Body)
}

func TestAWrongUpdateLeavesTheOldServing(t *testing.T) {
	t.Parallel()
	d := begin(t, quiet(), tiny())
	require.NoError(t, d.Ready(t.Context()))
	missing, unknown, invalid := tiny(), tiny(), tiny()
	missing.ModelLoadingConfig.ModelSource = spinup.From("./no-such-directory")
	unknown.ModelLoadingConfig.ModelID = "tinny"
	invalid.EngineKwargs.TensorParallelSize = -1
	require.ErrorIs(t, d.Update(t.Context(), missing), lifecycle.NotFound)
	require.ErrorContains(t, d.Update(t.Context(), unknown), `did you mean "tiny"?`)
	require.ErrorIs(t, d.Update(t.Context(), invalid), lifecycle.Invalid)
	require.ErrorContains(t, d.Update(t.Context(), tiny(), tiny()), "two configurations have this model_id")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, d.Update(ctx, tiny()), lifecycle.Canceled)
	code, body := chat(t, d.Handler(), "", "tiny")
	require.Equal(t, http.StatusOK, code, body)
	require.Eventually(t, func() bool { return len(d.Status()[0].Replicas) == 1 }, 10*time.Second, time.Millisecond)
	require.Equal(t, "tiny#1", d.Status()[0].Replicas[0].ID)
}

func TestScaleByHand(t *testing.T) {
	t.Parallel()
	d := begin(t, quiet(), tiny())
	require.NoError(t, d.Ready(t.Context()))
	require.NoError(t, d.Scale("tiny", 3))
	require.Eventually(t, func() bool { return d.Status()[0].Ready == 3 }, 30*time.Second, time.Millisecond)
	require.NoError(t, d.Scale("tiny", 0))
	require.Eventually(t, func() bool { return len(d.Status()[0].Replicas) == 0 }, 30*time.Second, time.Millisecond)
	code, _ := get(t, d.Handler(), "/readyz")
	require.Equal(t, http.StatusServiceUnavailable, code)
	code, _ = chat(t, d.Handler(), "", "tiny")
	require.Equal(t, http.StatusServiceUnavailable, code)
	require.ErrorIs(t, d.Scale("other", 1), lifecycle.NotFound)
	require.ErrorIs(t, d.Scale("tiny", -1), lifecycle.Invalid)
}

func TestScaleFromZeroWithARealEngine(t *testing.T) {
	t.Parallel()
	cfg := tiny()
	quick := spinup.Seconds(0.5)
	cfg.DeploymentConfig.AutoscalingConfig = &spinup.AutoscalingConfig{
		MinReplicas: new(0), MaxReplicas: 2, TargetOngoingRequests: 1, MetricsInterval: .1, LookBackPeriod: .2,
		DownscaleDelay: &quick,
	}
	d := begin(t, quiet(), cfg)
	require.NoError(t, d.Ready(t.Context()))
	code, body := get(t, d.Handler(), "/readyz")
	require.Equal(t, http.StatusOK, code, "a request would be answered: %s", body)
	for range 2 {
		code, body = chat(t, d.Handler(), "", "tiny")
		require.Equal(t, http.StatusOK, code, body)
		require.Eventually(t, func() bool { return len(d.Status()[0].Replicas) == 0 }, 30*time.Second, time.Millisecond)
	}
}

// One replica becomes four while eight clients ask, and one again while one asks. Nobody is failed.
func TestABurstScalesRealEngines(t *testing.T) {
	t.Parallel()
	cfg := tiny()
	quick := spinup.Seconds(0.3)
	cfg.DeploymentConfig.AutoscalingConfig = &spinup.AutoscalingConfig{
		MaxReplicas: 4, TargetOngoingRequests: 1.5, MetricsInterval: .1, LookBackPeriod: .3, UpscaleDelay: &quick, DownscaleDelay: &quick,
	}
	d := begin(t, quiet(), cfg)
	require.NoError(t, d.Ready(t.Context()))
	become := func(n int) {
		require.Eventually(t, func() bool {
			s := d.Status()[0]
			return s.Wanted == n && s.Ready == n && len(s.Replicas) == n
		}, time.Minute, time.Millisecond)
	}
	var l traffic
	end := l.run(t, d, 1)
	become(1)
	calm := l.run(t, d, 7)
	become(4)
	calm()
	become(1)
	end()
	l.report(t)
	require.Zero(t, l.interrupted.Load())
}

func TestStatusTellsWhereAReplicaIs(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	o := quiet()
	o.Sources = (&counting{dir: tinyModel, holdWeights: hold}).mux()
	o.Cache = cache(t)
	cfg := tiny()
	cfg.ModelLoadingConfig.ModelSource = spinup.From("count://model/tiny")
	d := begin(t, o, cfg)
	download := func() *spinup.StageStatus {
		for _, r := range d.Status()[0].Replicas {
			for _, s := range r.Stages {
				if s.Stage == lifecycle.StageDownload && s.Done > 0 {
					return &s
				}
			}
		}
		return nil
	}
	require.Eventually(t, func() bool { return download() != nil }, 10*time.Second, time.Millisecond)
	s := download()
	require.Less(t, s.Done, s.Total)
	_, page := get(t, d.StartupPage(), "/debug/startup")
	require.Contains(t, page, "tiny: 0 of 1 ready")
	require.Contains(t, page, "download for")
	_, page = get(t, d.StartupPage(), "/debug/startup?format=json")
	require.Contains(t, page, `"stage":"download"`)
	close(hold)
	require.NoError(t, d.Ready(t.Context()))
	require.Empty(t, d.Status()[0].Replicas[0].Stages)
}

func TestReadyzTellsWhatFailed(t *testing.T) {
	t.Parallel()
	cfg := tiny()
	cfg.ModelLoadingConfig.ModelSource = spinup.From("./no-such-directory")
	d := begin(t, quiet(), cfg)
	require.Error(t, d.Ready(t.Context()))
	code, body := get(t, d.Handler(), "/readyz")
	require.Equal(t, http.StatusServiceUnavailable, code)
	require.Contains(t, body, `"kind":"not found"`)
	require.Contains(t, body, `"hints":[`)
	require.NotContains(t, body, "no-such-directory", "what exactly failed is for the operator")
	_, page := get(t, d.StartupPage(), "/debug/startup")
	require.Contains(t, page, "no-such-directory")
	code, _ = get(t, d.Handler(), "/healthz")
	require.Equal(t, http.StatusOK, code)
}

// TestRaysRouters loads a file with each router and sees what it warns of.
func TestRaysRouters(t *testing.T) {
	t.Parallel()
	for router, warns := range map[string]string{
		"{request_router_class: 'ray.serve.llm.request_router:PrefixCacheAffinityRouter', request_router_kwargs: {imbalanced_threshold: 4}}": "",
		"{request_router_class: ray.serve.experimental.round_robin_router.RoundRobinRouter}":                                                 "",
		"{request_router_kwargs: {a: 1}}":     "request_router_kwargs.a: it has no effect here",
		"{request_router_class: mine.Router}": "request_router_class: it is not known here",
		"{request_routing_stats_period_s: 3}": "request_routing_stats_period_s: it has no effect here",
	} {
		apps, err := spinup.Load("c.yaml", strings.NewReader("model_loading_config: {model_id: m}\ndeployment_config: {max_queued_requests: 9, request_router_config: "+router+"}\n"))
		require.NoError(t, err)
		require.Equal(t, 9, apps[0].Args.LLMConfigs[0].DeploymentConfig.MaxQueuedRequests)
		if warns == "" {
			require.Empty(t, apps[0].Warnings)
			continue
		}
		require.Len(t, apps[0].Warnings, 1)
		require.Contains(t, apps[0].Warnings[0], warns)
	}
}

func TestAPolicyAndAPickerOfOnesOwn(t *testing.T) {
	t.Parallel()
	var picked atomic.Int64
	seen := make(chan replica.Load, 1)
	o := quiet()
	o.Pick = func(_ replica.Pick, from []replica.Replica) int {
		picked.Add(1)
		return len(from) - 1
	}
	o.ScalePolicy = func(l replica.Load) int {
		select {
		case seen <- l:
		default:
		}
		return 2
	}
	cfg := tiny()
	cfg.DeploymentConfig.AutoscalingConfig = &spinup.AutoscalingConfig{MaxReplicas: 3, MetricsInterval: .05, UpscaleDelay: new(spinup.Seconds)}
	d := begin(t, o, cfg)
	require.Equal(t, "tiny", (<-seen).Model)
	require.Eventually(t, func() bool { return d.Status()[0].Ready == 2 }, 30*time.Second, time.Millisecond)
	code, body := chat(t, d.Handler(), "", "tiny")
	require.Equal(t, http.StatusOK, code, body)
	require.Equal(t, int64(1), picked.Load())
}
