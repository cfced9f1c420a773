//go:build linux

package bench_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/spinup-llm/spinup/internal/bench"
	"github.com/stretchr/testify/require"
)

func TestTreeCountsTheLivingAndTheReaped(t *testing.T) {
	t.Parallel()
	// One child works and ends, another sleeps.
	cmd := exec.CommandContext(t.Context(), "sh", "-c", "(i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done); sleep 60 & echo; wait")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	defer func() {
		require.NoError(t, cmd.Cancel())
		require.Error(t, cmd.Wait())
	}()
	_, err = bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	own, err := bench.CPU(cmd.Process.Pid)
	require.NoError(t, err)
	require.Greater(t, bench.TreeCPU(cmd.Process.Pid), own+20*time.Millisecond)
	require.Positive(t, bench.TreePSS(cmd.Process.Pid))
}

func TestTreeOfNobody(t *testing.T) {
	t.Parallel()
	const nobody = 1 << 30
	_, err := bench.CPU(nobody)
	require.Error(t, err)
	require.Zero(t, bench.TreeCPU(nobody))
	require.Zero(t, bench.TreePSS(nobody))
	require.Zero(t, bench.Written(nobody))
	require.NoError(t, os.WriteFile(filepath.Join(t.TempDir(), "a"), []byte("byte"), 0o600))
	require.Positive(t, bench.Written(os.Getpid()))
}
