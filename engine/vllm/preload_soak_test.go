package vllm_test

import (
	"context"
	"math/rand/v2"
	"net"
	"os"
	"regexp"
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
	"github.com/stretchr/testify/require"
)

// soakCount is how often a start is repeated: SPINUP_SOAK, else few.
func soakCount(t *testing.T) int {
	t.Helper()
	text := os.Getenv("SPINUP_SOAK")
	if text == "" {
		return 5
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err, "SPINUP_SOAK")
	return n
}

// Starts and stops in a row, and after each fifth a start that is killed at a random moment, leave
// no process, descriptor, port, file or shared memory. It runs before the parallel tests, as it
// counts what this whole process holds.
func TestRealPreloadLeavesNothing(t *testing.T) {
	e := vllm.Engine{Path: testenv.VLLM(t)}
	spec := onOneCore(model(t, randmodel.Options{}))
	dir, err := os.MkdirTemp("", "soak") //nolint:usetesting // short: sockets lie below it
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	t.Setenv("TMPDIR", dir)
	before := -1
	for i := range soakCount(t) {
		var launched spy
		early := engine.Preload(t.Context(), e, spec, &engine.Options{Launcher: &launched})
		p, err := early.Start(t.Context(), spec)
		require.NoError(t, err)
		require.NoError(t, p.Ready(t.Context()))
		family, addr := guardian.Family(launched.pid), p.Endpoint().Host
		shared := sharedBy(t, family)
		require.NotEmpty(t, shared)
		require.NoError(t, p.Stop(t.Context()))
		requireFree(t, family, addr, shared)

		if i%5 == 0 {
			t.Logf("a start killed after %v", killedStart(t, e, spec))
		}
		left, err := os.ReadDir(dir)
		require.NoError(t, err)
		left = slices.DeleteFunc(left, func(e os.DirEntry) bool { return strings.HasPrefix(e.Name(), "torchinductor_") }) // a cache of all
		require.Empty(t, left)
		fds, err := os.ReadDir("/proc/self/fd")
		require.NoError(t, err)
		if before < 0 {
			before = len(fds) // what is made once is made now
		}
		require.Len(t, fds, before)
		t.Logf("start %d: ready and stopped", i+1)
	}
}

// killedStart kills the command of a start at a random moment, and returns which.
func killedStart(t *testing.T, e vllm.Engine, spec engine.Spec) time.Duration {
	t.Helper()
	var launched spy
	early := engine.Preload(t.Context(), e, spec, &engine.Options{Launcher: &launched})
	p, err := early.Start(t.Context(), spec)
	require.NoError(t, err)
	after := rand.N(15 * time.Second)
	select {
	case <-time.After(after):
	case <-p.Down():
		require.Fail(t, "the engine ended by itself", "%v", p.Err())
	}
	family := guardian.Family(launched.pid)
	shared := sharedBy(t, family)
	require.NoError(t, syscall.Kill(launched.pid, syscall.SIGKILL))
	<-p.Done()
	require.Error(t, p.Err())
	requireFree(t, family, p.Endpoint().Host, shared)
	return after
}

var segment = regexp.MustCompile(`/dev/shm/psm_\w+`)

// sharedBy are the files of memory that the processes share.
func sharedBy(t *testing.T, family []guardian.Process) (names []string) {
	t.Helper()
	for _, p := range family {
		maps, _ := os.ReadFile("/proc/" + strconv.Itoa(p.PID) + "/maps") // it may have ended
		names = append(names, segment.FindAllString(string(maps), -1)...)
	}
	return names
}

// requireFree fails t unless processes and shared memory are gone and the address can be taken.
func requireFree(t *testing.T, family []guardian.Process, addr string, shared []string) {
	t.Helper()
	for _, name := range shared {
		require.NoFileExists(t, name)
	}
	for _, p := range family {
		require.False(t, p.Alive(), "process %d", p.PID)
	}
	l, err := new(net.ListenConfig).Listen(context.WithoutCancel(t.Context()), "tcp", addr)
	require.NoError(t, err)
	require.NoError(t, l.Close())
}
