//go:build linux

package guardian_test

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/spinup-llm/spinup/internal/guardian"
	"github.com/spinup-llm/spinup/internal/testenv"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func shell(script string) guardian.Order {
	return guardian.Order{Path: "/bin/sh", Args: []string{"sh", "-c", script}, Env: []string{"PATH=/usr/bin:/bin"}}
}

// start runs a shell script under guard and returns what it has written when it ends.
func start(t *testing.T, o guardian.Order, lost func(guardian.Death)) (g *guardian.Guard, output func() string) {
	t.Helper()
	g, err := guardian.Start(t.Context(), o, lost)
	require.NoError(t, err)
	t.Cleanup(func() { _ = g.Stdin.Close() })
	return g, func() string {
		defer func() { _ = g.Output.Close() }()
		text, err := io.ReadAll(g.Output)
		require.NoError(t, err)
		return string(text)
	}
}

func TestExitIsToldBeforeTheRestIsGone(t *testing.T) {
	t.Parallel()
	deaths := make(chan guardian.Death, 1)
	g, output := start(t, shell("(trap '' TERM; setsid sleep 100) & echo begun; exit 5"), func(d guardian.Death) { deaths <- d })
	require.Equal(t, "begun\n", output())
	require.Equal(t, guardian.Death{PID: g.PID(), Exit: 5}, <-deaths)
	exit, err := g.Wait()
	require.NoError(t, err)
	require.Equal(t, 5, exit)
}

func TestKillReachesAMovingTarget(t *testing.T) {
	t.Parallel()
	// Each link of the chain starts the next in a session of its own and ends.
	chain := `export N=2000 L='N=$((N-1)); [ $N -gt 0 ] && { setsid sh -c "eval \"\$L\"" & sleep 0.002; }'
		eval "$L"; echo chain; read x`
	g, output := start(t, shell(chain), nil)
	line := make([]byte, 6)
	_, err := io.ReadFull(g.Output, line)
	require.NoError(t, err)
	require.NoError(t, g.Kill())
	exit, err := g.Wait()
	require.NoError(t, err)
	require.Equal(t, 137, exit)
	output()
}

func TestVitalByTitle(t *testing.T) {
	t.Parallel()
	deaths := make(chan guardian.Death, 1)
	core := filepath.Join(t.TempDir(), "part::core")
	require.NoError(t, os.Symlink("/bin/sleep", core))
	o := shell(core + " 100 & wait; read x")
	o.Vital = []string{"part::core"}
	g, output := start(t, o, func(d guardian.Death) { deaths <- d })
	require.Eventually(t, func() bool { return len(guardian.Family(g.PID())) == 2 }, 10*time.Second, 5*time.Millisecond)
	part := guardian.Family(g.PID())[1]
	<-time.After(600 * time.Millisecond) // the guardian looks every half second
	require.NoError(t, syscall.Kill(part.PID, syscall.SIGTERM))
	select {
	case d := <-deaths:
		require.Equal(t, part.PID, d.PID)
		require.Contains(t, d.Name, "part::core 100")
		require.Contains(t, []int{-1, 128 + 15}, d.Exit)
	case <-time.After(testenv.Within(time.Second)):
		require.Fail(t, "not seen")
	}
	require.NoError(t, g.Kill())
	output()
	_, err := g.Wait()
	require.NoError(t, err)
}

func TestForkOfAVitalProcessMayEnd(t *testing.T) {
	t.Parallel()
	deaths := make(chan guardian.Death, 1)
	core := filepath.Join(t.TempDir(), "part::core")
	require.NoError(t, os.Symlink("/bin/sh", core))
	// The subshell keeps the command line of its shell.
	o := shell(core + ` -c '(sleep 0.7; :); echo forked; read x'; :`)
	o.Vital = []string{"part::core -c"}
	g, output := start(t, o, func(d guardian.Death) { deaths <- d })
	_, err := io.ReadFull(g.Output, make([]byte, 7))
	require.NoError(t, err)
	<-time.After(600 * time.Millisecond) // the guardian looks every half second
	require.Empty(t, deaths)
	require.NoError(t, g.Kill())
	output()
	_, err = g.Wait()
	require.NoError(t, err)
}

func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	for range 8 {
		g, output := start(t, shell("cat"), nil)
		require.NoError(t, g.Stdin.Close())
		t.Cleanup(func() {
			output()
			exit, err := g.Wait()
			require.NoError(t, err)
			require.Equal(t, 0, exit)
		})
	}
}

func TestMarkerAloneMakesNoHost(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), self, "-test.run=NONE")
	cmd.Env = []string{"SPINUP_GUARDIAN=1"}
	out, err := cmd.CombinedOutput()
	require.Error(t, err)
	require.Equal(t, 2, cmd.ProcessState.ExitCode())
	require.Contains(t, string(out), "guardian: not started by its host")
}
