//go:build linux

package spinup_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spinup-llm/spinup"
	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/engine/vllm"
	"github.com/spinup-llm/spinup/internal/guardian"
	"github.com/spinup-llm/spinup/internal/randmodel"
	"github.com/spinup-llm/spinup/internal/s3test"
	"github.com/spinup-llm/spinup/internal/testenv"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/replica/local"
	"github.com/spinup-llm/spinup/source/s3"
	"github.com/stretchr/testify/require"
)

// A machine is a host process that starts a compiled model once, with a home of its own: what
// another one has compiled it can only have from the cache.
type machine struct {
	Program, Model string
	Result         string            // file for a start
	Cache          string            // Options.CompileCache
	CacheDir       string            // compilation_config.cache_dir
	Paths          []any             // of CloudDownloader
	Env            map[string]string // for buckets
}

// A start is what a machine tells of it.
type start struct {
	CPU, Wall float64 // seconds up to ready: of the host and all that descends from it
	Told      []string
	Compiling string  // the message of the stage
	Seconds   float64 // it took
	Answer    string
}

const machineVariable = "SPINUP_TEST_MACHINE"

// TestMachine is the main function of such a host.
func TestMachine(t *testing.T) {
	t.Parallel()
	text := os.Getenv(machineVariable)
	if text == "" {
		return
	}
	var m machine
	require.NoError(t, json.Unmarshal([]byte(text), &m))
	result, err := json.Marshal(m.start(t))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(m.Result, result, 0o600))
}

func (m *machine) start(t *testing.T) start {
	t.Helper()
	o := &spinup.Options{
		Engines: map[string]engine.Engine{"vLLM": vllm.Engine{Path: m.Program}}, Provisioner: &local.Provisioner{Accelerator: "none"},
		Sources: spinup.Sources(), CompileCache: m.Cache,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	o.Sources.Handle("s3", s3.Opener(nil))
	cfg := tiny()
	cfg.LLMEngine, cfg.ModelLoadingConfig.ModelSource = "vLLM", spinup.From(m.Model)
	cfg.RuntimeEnv.EnvVars = lifecycle.EnvVars{"VLLM_CPU_KVCACHE_SPACE": "1"}
	maps.Copy(cfg.RuntimeEnv.EnvVars, m.Env)
	cfg.EngineKwargs.MaxModelLen = 1024
	cfg.EngineKwargs.Extra = map[string]any{"max_num_batched_tokens": 1024}
	if m.CacheDir != "" {
		cfg.EngineKwargs.CompilationConfig = &spinup.CompilationConfig{CacheDir: m.CacheDir}
	}
	if m.Paths != nil { // under the name that the guide gives
		cfg.CallbackConfig.Class = "ray.llm._internal.common.callbacks.cloud_downloader.CloudDownloader"
		cfg.CallbackConfig.Kwargs = map[string]any{"paths": m.Paths}
	}
	began := time.Now()
	d := begin(t, o, cfg)
	require.NoError(t, d.Ready(t.Context()))
	s := start{Wall: time.Since(began).Seconds(), CPU: familyCPU(t)}
	s.Answer = greet(t, d.Handler())
	require.NoError(t, d.Stop(t.Context()))
	for span := range d.Timeline().All() {
		switch span.Stage {
		case lifecycle.StageCompileCache:
			s.Told = append(s.Told, span.Message)
		case lifecycle.StageCompile:
			s.Compiling, s.Seconds = span.Message, span.Duration().Seconds()
		default:
		}
	}
	_, err := d.Timeline().WriteTo(os.Stderr)
	require.NoError(t, err)
	return s
}

// familyCPU are the seconds of this process, of all that descends from it, and of what they
// have reaped.
func familyCPU(t *testing.T) float64 {
	t.Helper()
	ticks := 0
	for _, p := range guardian.Family(os.Getpid()) {
		stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.PID), "stat"))
		require.NoError(t, err)
		fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+2:])
		for _, f := range fields[11:15] { // utime, stime, cutime, cstime of proc(5)
			n, err := strconv.Atoi(string(f))
			require.NoError(t, err)
			ticks += n
		}
	}
	return float64(ticks) / 100
}

// run starts the machine's host and returns what it told.
func (m machine) run(t *testing.T) start {
	t.Helper()
	home, err := os.MkdirTemp("", "m") //nolint:usetesting // short: sockets lie below it
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(home)) })
	model := filepath.Join(home, "model")
	require.NoError(t, os.CopyFS(model, os.DirFS(m.Model)))
	m.Model, m.Result = model, filepath.Join(home, "result")
	text, err := json.Marshal(m)
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestMachine$")
	cmd.Env = append(os.Environ(), machineVariable+"="+string(text), "HOME="+home, "XDG_CACHE_HOME=", "TMPDIR="+home)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	var s start
	result, err := os.ReadFile(m.Result)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(result, &s))
	return s
}

// A compiled model starts on a machine that never compiled with what another one published.
// SPINUP_SOAK is the number of pairs; the medians are printed.
func TestRealSecondMachineNeedsNotCompile(t *testing.T) {
	t.Parallel()
	program := testenv.VLLM(t)
	model := t.TempDir()
	require.NoError(t, randmodel.Write(model, randmodel.Options{}))
	srv := s3test.Start(t)
	pairs, _ := strconv.Atoi(os.Getenv("SPINUP_SOAK"))
	seen := map[string][]float64{}
	for i := range max(1, pairs) {
		bucket := fmt.Sprintf("caches-%d", i)
		srv.Bucket(t, bucket)
		m := machine{Program: program, Model: model, Cache: "s3://" + bucket + "/compiled", Env: srv.Env()}
		compiled := countCompiler(t, m.Env)
		first := m.run(t)
		cold := compiled()
		require.Greater(t, cold, 5)
		require.Len(t, first.Told, 2)
		require.Contains(t, first.Told[0], "miss: ")
		require.Contains(t, first.Told[1], "published ")
		second := m.run(t)
		require.Len(t, second.Told, 1)
		require.Contains(t, second.Told[0], "hit: ")
		require.Less(t, compiled(), cold/2)
		require.Equal(t, first.Answer, second.Answer)
		for name, value := range map[string]float64{
			"first-cpu-s": first.CPU, "second-cpu-s": second.CPU, "ratio": second.CPU / first.CPU,
			"first-wall-s": first.Wall, "second-wall-s": second.Wall, "first-compile-s": first.Seconds, "second-compile-s": second.Seconds,
		} {
			seen[name] = append(seen[name], value)
		}
		t.Logf("first: %+v\nsecond: %+v", first, second)
	}
	for _, name := range slices.Sorted(maps.Keys(seen)) {
		values := slices.Sorted(slices.Values(seen[name]))
		t.Logf("%-16s %6.2f of %.2f", name, values[len(values)/2], seen[name])
	}
}

// The guide's way by hand: upload what one machine has compiled, name it to CloudDownloader, and
// say in cache_dir where it goes. The second machine calls the compiler only for
// what no file of the cache spares.
func TestRealCacheByHand(t *testing.T) {
	t.Parallel()
	m := machine{Program: testenv.VLLM(t), Model: t.TempDir()}
	require.NoError(t, randmodel.Write(m.Model, randmodel.Options{}))
	srv := s3test.Start(t)
	m.Env = srv.Env()
	compiled := countCompiler(t, m.Env)

	m.CacheDir = filepath.Join(t.TempDir(), "cache")
	first := m.run(t)
	cold := compiled()
	require.Greater(t, cold, 5)
	srv.Upload(t, "samplebucket", "tiny-cache", m.CacheDir)

	m.CacheDir = filepath.Join(t.TempDir(), "cache")
	m.Paths = []any{[]any{"s3://samplebucket/tiny-cache", m.CacheDir}}
	second := m.run(t)
	require.Less(t, compiled(), cold/2, "two calls were seen that no file of the cache spares")
	require.Equal(t, first.Answer, second.Answer)
	t.Logf("%.1f CPU seconds by hand, %.1f before", second.CPU, first.CPU)
}

// countCompiler lets a script be the compiler of env, and returns a function that tells how often
// it has compiled since it was last asked.
func countCompiler(t *testing.T, env map[string]string) func() int {
	t.Helper()
	script, log := filepath.Join(t.TempDir(), "cxx"), filepath.Join(t.TempDir(), "log")
	text := "#!/bin/sh\necho \"$@\" >> " + log + "\nexec g++ \"$@\"\n"
	require.NoError(t, os.WriteFile(script, []byte(text), 0o700))
	env["CXX"] = script
	return func() int {
		data, err := os.ReadFile(log)
		require.NoError(t, err)
		require.NoError(t, os.Truncate(log, 0))
		return strings.Count(string(data), " -o ")
	}
}

// greet returns what the model writes.
func greet(t *testing.T, h http.Handler) string {
	t.Helper()
	body := `{"model":"tiny","messages":[{"role":"user","content":"Hello"}],"max_tokens":8,"temperature":0,"ignore_eos":true}`
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/chat/completions", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	var answer struct {
		Choices []struct{ Message struct{ Content string } }
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &answer), w.Body.String())
	require.Len(t, answer.Choices, 1, w.Body.String())
	require.NotEmpty(t, answer.Choices[0].Message.Content)
	return answer.Choices[0].Message.Content
}
