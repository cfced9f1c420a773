package download_test

import (
	"math/rand/v2"
	"os"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

const killConnections = 2

// TestKilledAtRandomMoments kills a process with SIGKILL that downloads, again and again.
// SPINUP_KILLS is how often; the files grow with it.
func TestKilledAtRandomMoments(t *testing.T) {
	t.Parallel()
	kills := 5
	if s := os.Getenv("SPINUP_KILLS"); s != "" {
		var err error
		kills, err = strconv.Atoi(s)
		require.NoError(t, err)
	}
	// Each round fetches 6 MiB on average before it is killed.
	files := map[string][]byte{
		"a": random(1, kills*3*mib), "b": random(2, kills*3*mib+1), "c": random(3, 1000), "d": {},
	}
	dir := t.TempDir()
	var killed int64
	var limit atomic.Int64
	var victim atomic.Pointer[os.Process]
	o := newOrigin(t, files, func(total int64) {
		if p := victim.Load(); p != nil && total > limit.Load() {
			_ = p.Kill()
		}
	}, "sha256", "crc64nvme")
	for done := false; !done; {
		cmd := helper(t.Context(), "fetch", o.URL, dir)
		cmd.Env = append(cmd.Env, "SPINUP_DOWNLOAD_RCVBUF=small")
		cmd.Stderr = nil
		limit.Store(o.sent.Load() + rand.Int64N(12*mib))
		require.NoError(t, cmd.Start())
		victim.Store(cmd.Process)
		if err := cmd.Wait(); err == nil {
			done = true
		} else {
			require.ErrorContains(t, err, "killed")
			killed++
		}
		if !done {
			for _, path := range visible(t, dir) {
				requireFile(t, dir, path, files[path])
			}
		}
	}
	requireFiles(t, dir, files)
	twice := o.sent.Load() - int64(len(files["a"])+len(files["b"])+len(files["c"]))
	t.Logf("%d kills, %d bytes fetched twice, %d for each kill and connection", killed, twice, twice/max(killed, 1)/killConnections)
	require.Positive(t, killed)
	require.LessOrEqual(t, twice, killed*killConnections*2*mib)
}
