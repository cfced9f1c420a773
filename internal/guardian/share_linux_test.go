package guardian_test

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spinup-llm/spinup/internal/guardian"
	"github.com/stretchr/testify/require"
)

func TestYieldIsTakenBack(t *testing.T) {
	t.Parallel()
	// The session of the host is another one, and stays as it is.
	before := shareOf(t, os.Getpid())
	g, output := start(t, shell("sleep 100 & echo begun; read x"), nil)
	for _, yields := range []bool{true, false} {
		require.NoError(t, g.Yield(yields))
		want := map[bool]string{true: "10", false: "0"}[yields]
		if before == "" {
			want = "" // nothing happens, which is no error
		}
		for _, p := range guardian.Family(g.PID()) {
			require.Eventually(t, func() bool { return shareOf(t, p.PID) == want }, 10*time.Second, 5*time.Millisecond)
		}
	}
	require.Equal(t, before, shareOf(t, os.Getpid()))
	require.NoError(t, g.Kill())
	output()
	_, err := g.Wait()
	require.NoError(t, err)
	require.ErrorIs(t, g.Yield(true), os.ErrProcessDone)
}

// shareOf is the nice value of the session that a process belongs to; "" where the system does not
// share processors between sessions.
func shareOf(t *testing.T, pid int) string {
	t.Helper()
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/autogroup")
	if os.IsNotExist(err) {
		return ""
	}
	require.NoError(t, err)
	_, nice, _ := strings.Cut(strings.TrimSpace(string(text)), " nice ")
	return nice
}
