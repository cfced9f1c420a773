package vllm_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
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

// preloaded begins vLLM and waits until it has imported everything.
func preloaded(t *testing.T, e vllm.Engine, spec engine.Spec, s *spy) (early *engine.Preloaded, said string) {
	t.Helper()
	over := make(chan string, 1)
	var message string
	early = engine.Preload(t.Context(), e, spec, &engine.Options{Launcher: s, Scope: lifecycle.Scope{Emit: func(ev lifecycle.Event) {
		if ev.Stage != lifecycle.StagePreload {
			return
		}
		if ev.Message != "" {
			message = ev.Message
		}
		if ev.Phase == lifecycle.End || ev.Phase == lifecycle.Fail || ev.Phase == lifecycle.Skip {
			select {
			case over <- message:
			default:
			}
		}
	}}})
	t.Cleanup(func() { require.NoError(t, early.Discard(context.WithoutCancel(t.Context()))) })
	select {
	case said = <-over:
	case <-time.After(5 * time.Minute):
		require.Fail(t, "the preload did not end")
	}
	return early, said
}

// A preloaded engine says what a plain one says, with the model's own threads on its own
// core, and its end is seen as any other.
func TestRealPreloadServes(t *testing.T) {
	t.Parallel()
	e := vllm.Engine{Path: testenv.VLLM(t)}
	spec := onOneCore(model(t, randmodel.Options{Shards: 4}))
	spec.CPUs = []int{1}
	delete(spec.Env, "VLLM_CPU_OMP_THREADS_BIND")
	delete(spec.Env, "OMP_NUM_THREADS")
	spec.Env["CANARY"] = "canary-5d1f"
	plain := spec

	var launched spy
	later := spec
	later.Dir = ""
	early, said := preloaded(t, e, later, &launched)
	require.Contains(t, said, "workers are forked")
	require.Len(t, guardian.Family(launched.pid), 1, "nothing is made before the model is told")
	p, err := early.Start(t.Context(), spec)
	require.NoError(t, err)
	defer func() { require.NoError(t, p.Stop(context.WithoutCancel(t.Context()))) }()
	require.NoError(t, p.Ready(t.Context()))
	text := chat(t, p)
	worker := launched.await(t, "VLLM::Worker", 0)
	require.Equal(t, "1", statusOf(t, worker, "Cpus_allowed_list"))

	require.NoError(t, syscall.Kill(launched.await(t, "VLLM::EngineCore", 0), syscall.SIGKILL))
	select {
	case <-p.Down():
	case <-time.After(3 * time.Second):
		require.Fail(t, "the death was not seen in time")
	}
	<-p.Done()
	require.ErrorIs(t, p.Err(), lifecycle.EngineFailed)
	require.ErrorContains(t, p.Err(), "EngineCore")
	requireStages(t, p, lifecycle.StagePreload, lifecycle.StageCheck)

	e.Plain = true
	q, err := engine.Start(t.Context(), e, plain, nil)
	require.NoError(t, err)
	require.NoError(t, q.Ready(t.Context()))
	require.Equal(t, chat(t, q), text)
	require.NoError(t, q.Stop(t.Context()))
}

// requireStages fails t unless p's events tell first and then every stage of vLLM's.
// Ranks are forks, too, and find each other.
func TestRealPreloadOfTwoRanks(t *testing.T) {
	t.Parallel()
	e := vllm.Engine{Path: testenv.VLLM(t)}
	spec := onOneCore(model(t, randmodel.Options{}))
	spec.Kwargs["tensor_parallel_size"] = 2
	var launched spy
	early, said := preloaded(t, e, spec, &launched)
	require.Contains(t, said, "workers are forked")
	p, err := early.Start(t.Context(), spec)
	require.NoError(t, err)
	require.NoError(t, p.Ready(t.Context()))
	launched.await(t, "VLLM::Worker_TP1", 0)
	require.NoError(t, p.Stop(t.Context()))
}

func requireStages(t *testing.T, p *engine.Process, first ...lifecycle.Stage) {
	t.Helper()
	var stages []lifecycle.Stage
	events := slices.Collect(p.Events(t.Context()))
	for _, ev := range events {
		require.NotContains(t, ev.Message, "canary-5d1f")
	}
	tl := lifecycle.TimelineOf(slices.Values(events))
	for s := range tl.All() {
		stages = append(stages, s.Stage)
	}
	require.Equal(t, append(first, lifecycle.StageEngineConfig, vllm.StageStartWorkers, lifecycle.StageLoadWeights,
		lifecycle.StageKVCache, vllm.StageStartServer, lifecycle.StageWarmup, lifecycle.StageReady, lifecycle.StageStopped), stages)
}

// statusOf reads a field of /proc/PID/status.
func statusOf(t *testing.T, pid int, field string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(data), field+":\t")
	require.True(t, found)
	value, _, _ := strings.Cut(rest, "\n")
	return value
}

// What only vLLM can see is explained as after a plain start, also when it is told before
// the imports are over.
func TestRealPreloadExplainsFailures(t *testing.T) {
	t.Parallel()
	e := vllm.Engine{Path: testenv.VLLM(t)}
	spec := onOneCore(model(t, randmodel.Options{}))
	early := engine.Preload(t.Context(), e, spec, nil)
	spec.Kwargs["quantization"] = "nosuch"
	p, err := early.Start(t.Context(), spec)
	require.NoError(t, err)
	<-p.Done()
	require.ErrorIs(t, p.Err(), lifecycle.Invalid)
	require.ErrorContains(t, p.Err(), "quantization")
}
