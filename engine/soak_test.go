//go:build linux

package engine_test

import (
	"os"
	"testing"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/internal/fakeengine"
	"github.com/spinup-llm/spinup/internal/guardian"
	"github.com/stretchr/testify/require"
)

// soakStarts is enough to tell a leak per start from what varies; the same test ran with 50.
const soakStarts = 8

// It runs before the parallel tests, as it counts what this whole process holds.
// Goroutines are counted at the end of TestMain.
func TestStartsAndStopsLeaveNothing(t *testing.T) { //nolint:paralleltest // counts descriptors of the process
	cycle := func() {
		p := ready(t, fakeengine.Spec(t, "brood"), nil)
		require.NoError(t, p.Stop(t.Context()))
	}
	cycle() // what is made once is made now
	fds := descriptors(t)
	for range soakStarts {
		cycle()
	}
	require.Equal(t, fds, descriptors(t))
	require.Zero(t, engine.PromisedPorts())
	require.Len(t, guardian.Family(os.Getpid()), 1, "this process alone")
}

func descriptors(t *testing.T) int {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(names)
}
