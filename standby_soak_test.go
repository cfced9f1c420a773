//go:build linux

package spinup_test

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spinup-llm/spinup"
	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/engine/vllm"
	"github.com/spinup-llm/spinup/internal/fakeengine"
	"github.com/spinup-llm/spinup/internal/guardian"
	"github.com/spinup-llm/spinup/internal/randmodel"
	"github.com/spinup-llm/spinup/internal/testenv"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/replica/local"
	"github.com/stretchr/testify/require"
)

// soaks is how many starts a soak makes: SPINUP_SOAK, else few.
func soaks(t *testing.T, few int) int {
	t.Helper()
	text := os.Getenv("SPINUP_SOAK")
	if text == "" {
		return few
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err, "SPINUP_SOAK")
	return n
}

// TestStartsFromStandbysLeaveNothing starts and stops a replica again and again, each from a
// standby, and kills each fifth at a random moment. These soaks run before the parallel tests,
// as they count what this whole process holds.
func TestStartsFromStandbysLeaveNothing(t *testing.T) { //nolint:paralleltest // counts descriptors of the process
	cfg, dir := tiny(), t.TempDir() // in which the fakes tell of themselves
	require.NoError(t, os.CopyFS(dir, os.DirFS(tinyModel)))
	cfg.ModelLoadingConfig.ModelSource = spinup.From(dir)
	cfg.LLMEngine, cfg.EngineKwargs.Extra = "fake", map[string]any{"modes": "brood"}
	soak(t, fakeengine.Early{}, cfg, soaks(t, 10), 100*time.Millisecond)
}

// TestRealStartsFromStandbysLeaveNothing is the same with vLLM.
func TestRealStartsFromStandbysLeaveNothing(t *testing.T) { //nolint:paralleltest // as above
	e := vllm.Engine{Path: testenv.VLLM(t)}
	soak(t, e, realTiny(t), soaks(t, 3), 6*time.Second)
}

// soak makes n starts from standbys. A start takes about as long as within.
func soak(t *testing.T, e engine.Engine, cfg *spinup.LLMConfig, n int, within time.Duration) {
	t.Helper()
	fds := descriptors(t)
	p := &place{Provisioner: local.Provisioner{Accelerator: "none"}}
	o := quiet()
	o.Engines, o.Provisioner, o.Standbys = map[string]engine.Engine{cfg.LLMEngine: e}, p, 1
	d, err := spinup.New(o, cfg)
	require.NoError(t, err)
	require.NoError(t, d.Scale(cfg.ModelLoadingConfig.ModelID, 0))
	require.NoError(t, d.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, d.Stop(context.WithoutCancel(t.Context()))) })
	kills := 0
	for i := range n {
		require.Eventually(t, func() bool { return d.Status()[0].Standbys.Ready == 1 }, 10*time.Minute, time.Millisecond)
		pids := p.launched()
		require.NoError(t, d.Scale(cfg.ModelLoadingConfig.ModelID, 1))
		if i%5 == 1 { // not the first: what has never served is not started again
			kills++
			<-time.After(rand.N(within))
			require.NoError(t, syscall.Kill(pids[len(pids)-1], syscall.SIGKILL))
		}
		require.NoError(t, d.Ready(t.Context()))
		require.NoError(t, d.Scale(cfg.ModelLoadingConfig.ModelID, 0))
		require.Eventually(t, func() bool { return len(d.Status()[0].Replicas) == 0 }, time.Minute, time.Millisecond)
	}
	require.NoError(t, d.Stop(t.Context()))
	require.Len(t, guardian.Family(os.Getpid()), 1, "this process alone")
	require.Equal(t, fds, descriptors(t))
	ports := 0
	for s := range d.Timeline().All() {
		if s.Stage != lifecycle.StageReady {
			continue
		}
		ports++
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", strings.TrimPrefix(s.Message, "http://"))
		require.NoError(t, err)
		require.NoError(t, l.Close())
	}
	require.GreaterOrEqual(t, ports, n)
	t.Logf("%d starts, %d killed: %d standbys were launched, nothing is left", n, kills, len(p.launched()))
}

func descriptors(t *testing.T) int {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(names)
}

// realTiny is a small model for vLLM on the processor, whose processes have a name of their own.
func realTiny(t *testing.T) *spinup.LLMConfig {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, randmodel.Write(dir, randmodel.Options{}))
	cfg := &spinup.LLMConfig{ModelLoadingConfig: spinup.ModelLoadingConfig{ModelID: "tiny", ModelSource: spinup.From(dir)}}
	cfg.LLMEngine, cfg.EngineKwargs.EnforceEager, cfg.EngineKwargs.MaxModelLen = "vLLM", new(true), 2048
	cfg.RuntimeEnv.EnvVars = lifecycle.EnvVars{"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_PROCESS_NAME_PREFIX": "STANDBY" + filepath.Base(filepath.Dir(dir))}
	return cfg
}

// TestRealStandbyServesAgain kills vLLM's only replica, its core and then its API server, and
// asks until it answers again, beside what a plain start takes.
func TestRealStandbyServesAgain(t *testing.T) {
	t.Parallel()
	program := testenv.VLLM(t)
	cfg := realTiny(t)
	begun := time.Now()
	plain := quiet()
	plain.Engines = map[string]engine.Engine{"vLLM": vllm.Engine{Path: program, Plain: true}}
	plain.Provisioner = &local.Provisioner{Accelerator: "none"}
	by := begin(t, plain, cfg)
	require.NoError(t, by.Ready(t.Context()))
	byHand := time.Since(begun)
	require.NoError(t, by.Stop(t.Context()))

	s := stand(t, "no mark", func(o *spinup.Options, c *spinup.LLMConfig) {
		*c = *cfg
		o.Engines, o.Sources = map[string]engine.Engine{"vLLM": vllm.Engine{Path: program}}, nil
		o.Logger = slog.New(slog.DiscardHandler)
	})
	for i, victim := range []func() int{
		func() int { return core(t, cfg) }, func() int { return parent(t, core(t, cfg)) },
	} {
		s.await(t)
		pids := s.place.launched()
		t.Logf("a standby beside a replica has %s", proportionalMemory(t, pids[len(pids)-1]))
		begun := time.Now()
		require.NoError(t, syscall.Kill(victim(), syscall.SIGKILL))
		require.Eventually(t, func() bool {
			code, body := chat(t, s.Handler(), "", "tiny")
			if code != http.StatusOK {
				t.Logf("%d %s", code, body)
			}
			return code == http.StatusOK
		}, 2*time.Minute, 10*time.Millisecond)
		again := time.Since(begun)
		t.Logf("%s killed: served again after %.2f s; a plain start took %.2f s: %.2f of it",
			[]string{"core", "API server"}[i], again.Seconds(), byHand.Seconds(), again.Seconds()/byHand.Seconds())
		st := s.Status()[0].Replicas[0]
		require.True(t, st.Standby)
		require.Equal(t, i+1, st.Restarts)
	}
}

// core is the engine core of the model's replica.
func core(t *testing.T, cfg *spinup.LLMConfig) int {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(t, err)
	for _, f := range files {
		if line, err := os.ReadFile(f); err == nil && strings.HasPrefix(string(line), cfg.RuntimeEnv.EnvVars["VLLM_PROCESS_NAME_PREFIX"]+"::EngineCore") {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(f)))
			require.NoError(t, err)
			return pid
		}
	}
	require.Fail(t, "no engine core")
	return 0
}

func parent(t *testing.T, pid int) int {
	t.Helper()
	n, err := strconv.Atoi(field(t, pid, "status", "PPid"))
	require.NoError(t, err)
	return n
}

func proportionalMemory(t *testing.T, pid int) string {
	t.Helper()
	return field(t, pid, "smaps_rollup", "Pss") + " kB of its own share (PSS)"
}

// field is the first number of a field of a file of /proc/PID.
func field(t *testing.T, pid int, file, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), file))
	require.NoError(t, err)
	m := regexp.MustCompile(`(?m)^` + name + `:\s+(\d+)`).FindSubmatch(data)
	require.NotNil(t, m, name)
	return string(m[1])
}
