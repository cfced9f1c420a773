package guardian_test

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spinup-llm/spinup/internal/guardian"
	"github.com/stretchr/testify/require"
)

// A host that was linked against libraries of its own needs them to start as a guardian.
func TestGuardianFindsTheHostsLibraries(t *testing.T) {
	t.Setenv("LD_LIBRARY_PATH", "/nowhere/lib")
	t.Setenv("SECRET", "canary")
	_, output := start(t, shell(`tr '\0' '\n' </proc/$PPID/environ; echo "mine: $LD_LIBRARY_PATH"`), nil)
	require.Equal(t, "LD_LIBRARY_PATH=/nowhere/lib\nSPINUP_GUARDIAN=1\nmine: \n", output())
}

func TestYieldIsTakenBack(t *testing.T) {
	t.Parallel()
	// The session of the host is another one, and stays as it is.
	before := shareOf(t, os.Getpid())
	g, output := start(t, shell("sleep 100 & echo begun; read x"), nil)
	full, small := shareOf(t, g.PID()), smallShareHere(t)
	for _, yields := range []bool{true, false} {
		want := map[bool]string{true: small, false: full}[yields]
		require.NoError(t, g.Yield(yields))
		for _, p := range guardian.Family(g.PID()) {
			require.Eventually(t, func() bool { return shareOf(t, p.PID) == want }, 10*time.Second, 5*time.Millisecond,
				"process %d wants %q, the host has %q", p.PID, want, before)
		}
	}
	require.Equal(t, before, shareOf(t, os.Getpid()))
	require.NoError(t, g.Kill())
	output()
	_, err := g.Wait()
	require.NoError(t, err)
	require.ErrorIs(t, g.Yield(true), os.ErrProcessDone)
}

// smallShareHere is the nice value of a new session that has asked for 10: another one where the
// system does not share processors between sessions, or where nobody may say how.
func smallShareHere(t *testing.T) string {
	t.Helper()
	const ask = `for i in 1 2 3 4 5 6 7 8 9; do echo 10 >/proc/self/autogroup && break; sleep 0.1; done; cat /proc/self/autogroup`
	cmd := exec.CommandContext(t.Context(), "sh", "-c", ask)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	text, err := cmd.Output()
	if err != nil {
		t.Logf("sessions have no share here: %v", err)
	}
	return niceIn(text)
}

// shareOf is the nice value of the session that a process belongs to; "" where it belongs to none
// that has one, as what the system itself has started.
func shareOf(t *testing.T, pid int) string {
	t.Helper()
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/autogroup")
	if !os.IsNotExist(err) {
		require.NoError(t, err)
	}
	return niceIn(text)
}

func niceIn(autogroup []byte) string {
	_, nice, _ := strings.Cut(strings.TrimSpace(string(autogroup)), " nice ")
	return nice
}
