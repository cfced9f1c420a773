package vllm_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/engine/vllm"
	"github.com/spinup-llm/spinup/internal/guardian"
	"github.com/spinup-llm/spinup/internal/randmodel"
	"github.com/spinup-llm/spinup/internal/testenv"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

// BenchmarkStart measures a start by hand and one with the imports ahead, in alternation, as
// medians of wall and CPU seconds up to the warm-up's answer: "plain", "import" and, from the
// moment the model is told, "go". -benchtime 3x makes three pairs.
func BenchmarkStart(b *testing.B) {
	e := vllm.Engine{Path: testenv.VLLM(b)}
	dir := b.TempDir()
	require.NoError(b, randmodel.Write(dir, randmodel.Options{}))
	spec := onOneCore(dir)
	seen := map[string][]float64{}
	for b.Loop() {
		plain(b, e, spec, seen)
		ahead(b, e, spec, seen)
		b.Logf("%v", seen)
	}
	reportMedians(b, seen)
}

func reportMedians(b *testing.B, seen map[string][]float64) {
	b.Helper()
	for what, values := range seen {
		slices.Sort(values)
		b.ReportMetric(values[len(values)/2], what)
	}
}

func plain(b *testing.B, e vllm.Engine, spec engine.Spec, seen map[string][]float64) {
	b.Helper()
	var launched spy
	began := time.Now()
	p, err := engine.Start(b.Context(), e, spec, &engine.Options{Launcher: &launched})
	require.NoError(b, err)
	require.NoError(b, p.Ready(b.Context()))
	note(seen, "plain", time.Since(began), cpuSeconds(b, launched.pid))
	require.NoError(b, p.Stop(b.Context()))
}

func ahead(b *testing.B, e vllm.Engine, spec engine.Spec, seen map[string][]float64) {
	b.Helper()
	var launched spy
	over := make(chan struct{}, 1)
	began := time.Now()
	early := engine.Preload(b.Context(), e, spec, &engine.Options{Launcher: &launched, Scope: lifecycle.Scope{Emit: func(ev lifecycle.Event) {
		if ev.Stage == lifecycle.StagePreload && ev.Phase == lifecycle.End {
			over <- struct{}{}
		}
	}}})
	<-over
	imported := cpuSeconds(b, launched.pid)
	note(seen, "import", time.Since(began), imported)
	began = time.Now()
	p, err := early.Start(b.Context(), spec)
	require.NoError(b, err)
	require.NoError(b, p.Ready(b.Context()))
	note(seen, "go", time.Since(began), cpuSeconds(b, launched.pid)-imported)
	require.NoError(b, p.Stop(b.Context()))
}

// BenchmarkDecode measures what a token costs a server as started by hand, "plain", and one with
// the imports ahead, "ours", in alternation: medians of wall and CPU milliseconds of a tiny model and
// one of 303 MB.
func BenchmarkDecode(b *testing.B) {
	for name, opts := range map[string]randmodel.Options{"tiny": {}, "303MB": {Layers: 16, Hidden: 1024}} {
		b.Run(name, func(b *testing.B) {
			dir := b.TempDir()
			require.NoError(b, randmodel.Write(dir, opts))
			seen := map[string][]float64{}
			for b.Loop() {
				decode(b, "plain", vllm.Engine{Path: testenv.VLLM(b), Plain: true}, onOneCore(dir), seen)
				decode(b, "ours", vllm.Engine{Path: testenv.VLLM(b)}, onOneCore(dir), seen)
			}
			reportMedians(b, seen)
		})
	}
}

func decode(b *testing.B, what string, e vllm.Engine, spec engine.Spec, seen map[string][]float64) {
	b.Helper()
	const tokens = 200
	var launched spy
	p, err := engine.Preload(b.Context(), e, spec, &engine.Options{Launcher: &launched}).Start(b.Context(), spec)
	require.NoError(b, err)
	require.NoError(b, p.Ready(b.Context()))
	for range 3 {
		before, began := cpuSeconds(b, launched.pid), time.Now()
		question := strings.NewReader(`{"model": "tiny", "prompt": "hello", "ignore_eos": true, "max_tokens": ` + strconv.Itoa(tokens) + `}`)
		req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, p.Endpoint().String()+"/v1/completions", question)
		require.NoError(b, err)
		req.Header.Set("Content-Type", "application/json")
		answer, err := new(http.Client).Do(req)
		require.NoError(b, err)
		_, err = io.Copy(io.Discard, answer.Body)
		require.NoError(b, errors.Join(err, answer.Body.Close()))
		require.Equal(b, http.StatusOK, answer.StatusCode)
		seen[what+"-wall-ms/token"] = append(seen[what+"-wall-ms/token"], time.Since(began).Seconds()*1000/tokens)
		seen[what+"-cpu-ms/token"] = append(seen[what+"-cpu-ms/token"], (cpuSeconds(b, launched.pid)-before)*1000/tokens)
	}
	require.NoError(b, p.Stop(b.Context()))
}

func note(seen map[string][]float64, what string, wall time.Duration, cpu float64) {
	seen[what+"-wall-s"] = append(seen[what+"-wall-s"], wall.Seconds())
	seen[what+"-cpu-s"] = append(seen[what+"-cpu-s"], cpu)
}

// cpuSeconds are those of a process, of all that descends from it, and of what they reaped.
func cpuSeconds(b *testing.B, pid int) float64 {
	b.Helper()
	ticks := 0
	for _, p := range guardian.Family(pid) {
		stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.PID), "stat"))
		require.NoError(b, err)
		fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+2:])
		for _, f := range fields[11:15] { // utime, stime, cutime, cstime of proc(5)
			n, err := strconv.Atoi(string(f))
			require.NoError(b, err)
			ticks += n
		}
	}
	return float64(ticks) / 100
}
