package vllm_test

import (
	"context"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
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
// no process, descriptor or port. It runs before the parallel tests, as it counts what this
// whole process holds.
func TestRealPreloadLeavesNothing(t *testing.T) { //nolint:paralleltest // counts descriptors of the process
	e := vllm.Engine{Path: testenv.VLLM(t)}
	spec := onOneCore(model(t, randmodel.Options{}))
	before := -1
	for i := range soakCount(t) {
		var launched spy
		early := engine.Preload(t.Context(), e, spec, &engine.Options{Launcher: &launched})
		p, err := early.Start(t.Context(), spec)
		require.NoError(t, err)
		require.NoError(t, p.Ready(t.Context()))
		family := guardian.Family(launched.pid)
		addr := p.Endpoint().Host
		require.NoError(t, p.Stop(t.Context()))
		requireFree(t, family, addr)

		if i%5 == 0 {
			t.Logf("a start killed after %v", killedStart(t, e, spec))
		}
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
	require.NoError(t, syscall.Kill(launched.pid, syscall.SIGKILL))
	<-p.Done()
	require.Error(t, p.Err())
	requireFree(t, family, p.Endpoint().Host)
	return after
}

// requireFree fails t unless the processes are gone and the address can be taken.
func requireFree(t *testing.T, family []guardian.Process, addr string) {
	t.Helper()
	for _, p := range family {
		require.False(t, p.Alive(), "process %d", p.PID)
	}
	l, err := new(net.ListenConfig).Listen(context.WithoutCancel(t.Context()), "tcp", addr)
	require.NoError(t, err)
	require.NoError(t, l.Close())
}
