package download_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

const killConnections = 2

// kills is how often a test kills a process: SPINUP_KILLS, or some.
func kills(t *testing.T, some int) int {
	t.Helper()
	if s := os.Getenv("SPINUP_KILLS"); s != "" {
		n, err := strconv.Atoi(s)
		require.NoError(t, err)
		return n
	}
	if os.Getenv("SPINUP_TEST") == "all" {
		return 50
	}
	return some
}

// TestKilledAtRandomMoments ends a process that downloads, with SIGKILL or SIGTERM, again and
// again: nothing half-done is ever visible, and little is fetched twice. The files grow with
// the number of kills.
func TestKilledAtRandomMoments(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"fetch", "stream"} {
		t.Run(program, func(t *testing.T) {
			t.Parallel()
			killAtRandom(t, program)
		})
	}
}

func killAtRandom(t *testing.T, program string) {
	t.Helper()
	kills := kills(t, 5)
	// Each round fetches 2 MiB on average before it is killed.
	files := map[string][]byte{
		"a": random(1, kills*mib), "b": random(2, kills*mib+1), "c": random(3, 1000), "d": {},
	}
	dir, seen := t.TempDir(), map[string]bool{}
	store := dir
	var killed int64
	var limit atomic.Int64
	var victim atomic.Pointer[os.Process]
	o := newOrigin(t, files, func(total int64) {
		if p := victim.Load(); p != nil && total > limit.Load() {
			_ = p.Signal([]os.Signal{syscall.SIGKILL, syscall.SIGTERM}[total%2])
		}
	}, "sha256", "crc64nvme")
	for done := false; !done; {
		cmd := helper(t.Context(), program, o.URL, store)
		cmd.Env = append(cmd.Env, "SPINUP_DOWNLOAD_RCVBUF=small")
		cmd.Stderr = nil
		limit.Store(o.sent.Load() + rand.Int64N(4*mib))
		require.NoError(t, cmd.Start())
		victim.Store(cmd.Process)
		if err := cmd.Wait(); err == nil {
			done = true
		} else {
			require.Regexp(t, "killed|terminated", err.Error())
			killed++
		}
		if program == "stream" { // into a store
			entries, err := filepath.Glob(filepath.Join(store, "*@*"))
			require.NoError(t, err)
			require.LessOrEqual(t, len(entries), 1)
			dir = slices.Concat(entries, []string{dir})[0]
		}
		for _, path := range visible(t, dir) {
			if !seen[path] {
				requireFile(t, dir, path, files[path])
			}
			seen[path] = true
		}
	}
	requireFiles(t, dir, files)
	twice := o.sent.Load() - int64(len(files["a"])+len(files["b"])+len(files["c"]))
	t.Logf("%d kills, %d bytes fetched twice, %d for each kill and connection", killed, twice, twice/max(killed, 1)/killConnections)
	require.Positive(t, killed)
	require.LessOrEqual(t, twice, killed*killConnections*2*mib)
}
