//go:build linux

package engine_test

import (
	"bufio"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spinup-llm/spinup/internal/fakeengine"
	"github.com/spinup-llm/spinup/internal/guardian"
	"github.com/spinup-llm/spinup/internal/testenv"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

// promise is what the design promises for deaths: nothing lives so long after its host.
var promise = testenv.Within(2 * time.Second)

// runHost starts a host program in a process group of its own and waits for its word.
func runHost(t *testing.T, then, dir, modes string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), self, hostArg, then, dir, modes)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(out)
	require.True(t, lines.Scan(), "the host said nothing")
	require.Equal(t, "host: <nil>", lines.Text())
	return cmd, lines
}

func TestNothingOutlivesAKilledHost(t *testing.T) {
	t.Parallel()
	for _, then := range []string{"starting", "serving", "careless"} {
		t.Run(then, func(t *testing.T) {
			t.Parallel()
			spec := fakeengine.Spec(t)
			host, _ := runHost(t, then, spec.Dir, "brood,stubborn")
			pids := brood(t, spec.Dir)
			pids["guardian"] = parentOf(t, pids["engine"])
			require.NoError(t, host.Process.Kill())
			requireGone(t, promise, pids)
			require.Error(t, host.Wait())
		})
	}
}

// Wherever a launch is when the host ends, nothing comes of it.
func TestHostKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	require.NoError(t, err)
	for range 12 {
		dir := fakeengine.Spec(t).Dir
		host := exec.CommandContext(t.Context(), self, hostArg, "starting", dir, "brood,stubborn")
		require.NoError(t, host.Start())
		select {
		case <-time.After(rand.N(80 * time.Millisecond)):
		case <-t.Context().Done():
		}
		below := guardian.Family(host.Process.Pid)[1:]
		require.NoError(t, host.Process.Kill())
		require.Error(t, host.Wait())
		require.Eventually(t, func() bool {
			return !slices.ContainsFunc(below, guardian.Process.Alive) && len(mentioning(t, dir)) == 0
		}, promise, 5*time.Millisecond, "%v %v", below, mentioning(t, dir))
	}
}

// mentioning lists the processes that have text in their arguments.
func mentioning(t *testing.T, text string) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(t, err)
	var found []string
	for _, f := range files {
		if b, err := os.ReadFile(f); err == nil && strings.Contains(string(b), text) {
			found = append(found, f)
		}
	}
	return found
}

// What ends a job often ends its process group.
func TestNothingOutlivesAKilledGroup(t *testing.T) {
	t.Parallel()
	spec := fakeengine.Spec(t)
	host, _ := runHost(t, "serving", spec.Dir, "brood,stubborn")
	pids := brood(t, spec.Dir)
	require.NoError(t, syscall.Kill(-host.Process.Pid, syscall.SIGKILL))
	requireGone(t, promise, pids)
	require.Error(t, host.Wait())
}

// With nobody left to kill it, at least the engine itself ends with its guardian.
func TestEngineEndsWithItsGuardian(t *testing.T) {
	t.Parallel()
	spec := fakeengine.Spec(t)
	host, _ := runHost(t, "serving", spec.Dir, "stubborn")
	pids := map[string]int{"engine": fakeengine.PIDs(t, spec.Dir)["engine"]}
	pids["guardian"] = parentOf(t, pids["engine"])
	require.NoError(t, host.Process.Signal(syscall.SIGSTOP))
	require.NoError(t, syscall.Kill(pids["guardian"], syscall.SIGKILL))
	requireGone(t, promise, pids)
	require.NoError(t, host.Process.Kill())
	require.Error(t, host.Wait())
}

func TestNothingOutlivesAHostThatForgetsToStop(t *testing.T) {
	t.Parallel()
	spec := fakeengine.Spec(t)
	host, _ := runHost(t, "return", spec.Dir, "brood,stubborn")
	require.NoError(t, host.Wait())
	pids := fakeengine.PIDs(t, spec.Dir)
	require.Contains(t, pids, "engine")
	requireGone(t, promise, pids)
}

func TestTerminalInterruptReachesOnlyTheHost(t *testing.T) {
	t.Parallel()
	spec := fakeengine.Spec(t)
	host, lines := runHost(t, "interrupt", spec.Dir, "brood")
	pids := brood(t, spec.Dir)
	require.NoError(t, syscall.Kill(-host.Process.Pid, syscall.SIGINT))
	require.True(t, lines.Scan())
	require.Equal(t, "stopped: <nil>", lines.Text())
	require.NoError(t, host.Wait())
	requireGone(t, promise, pids)
	seen := fakeengine.PIDs(t, spec.Dir)
	require.Contains(t, seen, "signal-15", "the host asked the engine to stop")
	require.NotContains(t, seen, "signal-2", "the terminal did not")
}

func TestDeathsAreSeenAndNamed(t *testing.T) {
	t.Parallel()
	for _, role := range []string{"engine", "core", "worker", "guardian"} {
		for _, moment := range []string{"loading", "serving"} {
			t.Run(role+" while "+moment, func(t *testing.T) {
				t.Parallel()
				modes := map[string][]string{"loading": {"brood", "hang"}, "serving": {"brood"}}
				spec := fakeengine.Spec(t, modes[moment]...)
				p := start(t, spec, nil)
				if moment == "serving" {
					require.NoError(t, p.Ready(t.Context()))
				}
				pids := brood(t, spec.Dir)
				pids["guardian"] = parentOf(t, pids["engine"])
				waitForLook(t)
				require.NoError(t, syscall.Kill(pids[role], syscall.SIGKILL))
				within(t, testenv.Within(time.Second), "death seen", p.Down())
				within(t, promise, "end", p.Done())
				requireGone(t, promise, pids)
				require.ErrorIs(t, p.Err(), lifecycle.EngineFailed)
				if role != "engine" {
					require.ErrorContains(t, p.Err(), "(pid "+strconv.Itoa(pids[role])+")")
				}
				if role == "core" || role == "worker" {
					require.ErrorContains(t, p.Err(), "process fake::"+role)
				}
			})
		}
	}
}

// waitForLook gives the guardian time to have seen the family: it looks every half second.
func waitForLook(t *testing.T) {
	t.Helper()
	select {
	case <-time.After(600 * time.Millisecond):
	case <-t.Context().Done():
	}
}

func TestDescendantsThatAreNotVitalMayEnd(t *testing.T) {
	t.Parallel()
	spec := fakeengine.Spec(t, "brood")
	p := ready(t, spec, nil)
	pids := brood(t, spec.Dir)
	waitForLook(t)
	require.NoError(t, syscall.Kill(pids["orphan"], syscall.SIGKILL))
	waitForLook(t)
	waitForLook(t)
	require.NoError(t, p.Ready(t.Context()), "it serves on")
	require.NoError(t, p.Stop(t.Context()))
}

// parentOf reads the parent of a process.
func parentOf(t *testing.T, pid int) int {
	t.Helper()
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	require.NoError(t, err)
	_, rest, _ := strings.Cut(string(stat), ") ")
	parent, err := strconv.Atoi(strings.Fields(rest)[1])
	require.NoError(t, err)
	return parent
}
