//go:build linux

package engine_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/internal/fakeengine"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// run launches a command and returns its output and exit.
func run(t *testing.T, cmd engine.Command) (output string, exit int) {
	t.Helper()
	h, err := engine.Exec{}.Launch(t.Context(), cmd)
	require.NoError(t, err)
	defer func() { _ = h.Input().Close() }()
	text, err := io.ReadAll(h.Output())
	require.NoError(t, err)
	require.NoError(t, h.Output().Close())
	exit, err = h.Wait()
	require.NoError(t, err)
	return string(text), exit
}

func TestExecGivesExactlyTheEnvironment(t *testing.T) {
	t.Parallel()
	out, exit := run(t, engine.Command{Path: "env", Env: lifecycle.EnvVars{"A": "1", "B": "no\xffutf8\nand a line"}})
	require.Equal(t, 0, exit)
	require.Equal(t, "A=1\nB=no\xffutf8\nand a line\n", out)
}

func TestExecRunsInItsFolder(t *testing.T) {
	t.Parallel()
	here, err := os.Getwd()
	require.NoError(t, err)
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	for given, want := range map[string]string{"": here, dir: dir} {
		out, _ := run(t, engine.Command{Path: "/bin/pwd", Args: []string{"-P"}, Dir: given})
		require.Equal(t, want+"\n", out)
	}
}

func TestExecTellsExits(t *testing.T) {
	t.Parallel()
	for script, want := range map[string]int{"exit 0": 0, "exit 3": 3, "kill -9 $$": 137, "kill -11 $$": 139} {
		_, exit := run(t, engine.Command{Path: "/bin/sh", Args: []string{"-c", script}})
		require.Equal(t, want, exit, script)
	}
}

func TestExecLeavesSignalsAsAShellWould(t *testing.T) {
	t.Parallel()
	out, _ := run(t, engine.Command{Path: "/bin/cat", Args: []string{"/proc/self/status"}})
	for _, field := range []string{"SigBlk", "SigIgn"} {
		_, after, found := strings.Cut(out, field+":\t")
		require.True(t, found)
		require.Equal(t, "0000000000000000", after[:16], field)
	}
}

func TestNoDescriptorOfTheHostReachesTheEngine(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "open")
	fd, err := unix.Open(path, unix.O_CREAT|unix.O_RDWR, 0o600) // as C libraries do, without O_CLOEXEC
	require.NoError(t, err)
	defer func() { _ = unix.Close(fd) }()
	out, _ := run(t, engine.Command{Path: "/bin/ls", Args: []string{"/proc/self/fd"}})
	require.Equal(t, "0\n1\n2\n3\n", out, "the last one is the folder that ls reads")
}

func TestSecretsAreNotInTheGuardian(t *testing.T) {
	t.Parallel()
	spec := fakeengine.Spec(t)
	spec.Env = lifecycle.EnvVars{"HF_TOKEN": canary}
	p := ready(t, spec, nil)
	pid := fakeengine.PIDs(t, spec.Dir)["engine"]
	environ := func(pid int) string {
		b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
		require.NoError(t, err)
		return string(b)
	}
	guardian := parentOf(t, pid)
	require.Contains(t, environ(pid), canary)
	require.Equal(t, "SPINUP_GUARDIAN=1\x00", environ(guardian))
	cmdline, err := os.ReadFile("/proc/" + strconv.Itoa(guardian) + "/cmdline")
	require.NoError(t, err)
	require.Equal(t, "engine-guardian\x00", string(cmdline))
	require.NoError(t, p.Stop(t.Context()))
}

func TestLaunchErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	plain, script := filepath.Join(dir, "plain"), filepath.Join(dir, "script")
	require.NoError(t, os.WriteFile(plain, nil, 0o600))
	require.NoError(t, os.WriteFile(script, []byte("#!/no/such/interpreter\n"), 0o700))
	because := errors.New("the lights go out")
	canceled, cancel := context.WithCancelCause(t.Context())
	cancel(because)
	tests := map[string]struct {
		cmd  engine.Command
		kind lifecycle.Kind
	}{
		"missing":        {engine.Command{Path: filepath.Join(dir, "none")}, lifecycle.NotFound},
		"not in PATH":    {engine.Command{Path: "no-such-engine"}, lifecycle.NotFound},
		"not executable": {engine.Command{Path: plain}, lifecycle.AccessDenied},
		"interpreter":    {engine.Command{Path: script}, lifecycle.NotFound},
		"no folder":      {engine.Command{Path: "/bin/true", Dir: dir + "/none"}, lifecycle.NotFound},
		"NUL":            {engine.Command{Path: "/bin/true", Args: []string{"a\x00b"}}, lifecycle.EngineFailed},
		"canceled":       {engine.Command{Path: "/bin/true"}, lifecycle.Canceled},
	}
	for name, tt := range tests {
		ctx := t.Context()
		if tt.kind == lifecycle.Canceled {
			ctx = canceled
		}
		_, err := engine.Exec{}.Launch(ctx, tt.cmd)
		require.ErrorIs(t, err, tt.kind, "%s: %v", name, err)
		require.Equal(t, ctx == canceled, errors.Is(err, because))
	}
}

func TestHandleAfterTheEnd(t *testing.T) {
	t.Parallel()
	h, err := engine.Exec{}.Launch(t.Context(), engine.Command{Path: "/bin/true"})
	require.NoError(t, err)
	_, err = h.Wait()
	require.NoError(t, err)
	require.ErrorIs(t, h.Signal(syscall.SIGTERM), os.ErrProcessDone)
	require.NoError(t, h.Kill())
	require.NoError(t, h.Kill())
	require.NoError(t, h.Input().Close())
	require.NoError(t, h.Output().Close())
}

func TestInputReachesTheCommand(t *testing.T) {
	t.Parallel()
	h, err := engine.Exec{}.Launch(t.Context(), engine.Command{Path: "/bin/cat"})
	require.NoError(t, err)
	_, err = io.WriteString(h.Input(), "to and fro")
	require.NoError(t, err)
	require.NoError(t, h.Input().Close())
	out, err := io.ReadAll(h.Output())
	require.NoError(t, err)
	require.Equal(t, "to and fro", string(out))
	require.NoError(t, h.Output().Close())
	_, err = h.Wait()
	require.NoError(t, err)
}

func BenchmarkLaunch(b *testing.B) {
	for b.Loop() {
		h, err := engine.Exec{}.Launch(b.Context(), engine.Command{Path: "/bin/true"})
		if err != nil {
			b.Fatal(err)
		}
		_, _ = h.Wait()
		_, _ = h.Input().Close(), h.Output().Close()
	}
}

// A scratch folder is the command's alone, and goes with it.
func TestExecMakesScratch(t *testing.T) {
	t.Parallel()
	cmd := engine.Command{Path: "/bin/sh", Args: []string{"-c", `touch "$ROOM"/a; ls "$ROOM"; echo "$ROOM"`}, Env: lifecycle.EnvVars{"PATH": "/usr/bin:/bin"}, Scratch: "ROOM"}
	out, exit := run(t, cmd)
	require.Equal(t, 0, exit)
	lines := strings.Fields(out)
	require.Len(t, lines, 2)
	require.Equal(t, "a", lines[0])
	require.Equal(t, filepath.Clean(os.TempDir()), filepath.Dir(lines[1]))
	require.NoDirExists(t, lines[1])
	require.NotContains(t, cmd.Env, "ROOM", "the command's own is not changed")

	cmd.Env["ROOM"] = t.TempDir()
	out, _ = run(t, cmd)
	require.Equal(t, []string{"a", cmd.Env["ROOM"]}, strings.Fields(out))
	require.DirExists(t, cmd.Env["ROOM"], "the user's stays")
}

func TestExecGivesNoScratchThatSocketsDoNotFit(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("long", 20))
	require.NoError(t, os.Mkdir(dir, 0o700))
	t.Setenv("TMPDIR", dir)
	out, _ := run(t, engine.Command{Path: "/bin/sh", Args: []string{"-c", `echo "[$ROOM]"`}, Scratch: "ROOM"})
	require.Equal(t, "[]\n", out)
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}
