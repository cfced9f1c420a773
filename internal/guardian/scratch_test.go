//go:build linux

package guardian_test

import (
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spinup-llm/spinup/internal/guardian"
	"github.com/stretchr/testify/require"
)

// The folder is there while anything of the command lives, and then it is not, whoever ends it.
func TestScratchGoesWithTheCommand(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*guardian.Guard) error{
		"ends":                 func(g *guardian.Guard) error { return g.Stdin.Close() },
		"is killed":            (*guardian.Guard).Kill,
		"its guardian is, too": func(g *guardian.Guard) error { return syscall.Kill(parent(t, g.PID()), syscall.SIGKILL) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := shell(`mkdir "$0"/more && echo here && cat`)
			o.Scratch = filepath.Join(t.TempDir(), "scratch")
			o.Args = append(o.Args, o.Scratch)
			require.NoError(t, os.Mkdir(o.Scratch, 0o700))
			g, output := start(t, o, nil)
			_, err := io.ReadFull(g.Output, make([]byte, len("here\n")))
			require.NoError(t, err)
			require.DirExists(t, filepath.Join(o.Scratch, "more"))
			require.NoError(t, end(g))
			_, _ = g.Wait()
			require.NoDirExists(t, o.Scratch)
			output()
		})
	}
}

func parent(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	require.NoError(t, err)
	_, rest, _ := strings.Cut(string(status), "PPid:\t")
	n, err := strconv.Atoi(strings.Fields(rest)[0])
	require.NoError(t, err)
	return n
}

// What cleans up after the rest lives a little longer, and no more than that.
func TestTrackersEndLast(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	script := filepath.Join(dir, "multiprocessing.resource_tracker")
	// Its input ends with the shell that started it. It starts no process, like Python's: that would
	// be killed with the rest. Then it waits for nothing, and is not waited for.
	never := filepath.Join(dir, "never")
	require.NoError(t, syscall.Mkfifo(never, 0o600))
	text := "#!/bin/sh\necho tracks\nwhile read -r line; do :; done\n: >" + filepath.Join(dir, "cleaned") + "\nread -r line <" + never + "\n"
	require.NoError(t, os.WriteFile(script, []byte(text), 0o700))
	g, output := start(t, shell("sleep 100 | "+script), nil)
	_, err := io.ReadFull(g.Output, make([]byte, len("tracks\n")))
	require.NoError(t, err)
	begun := time.Now()
	require.NoError(t, g.Kill())
	_, err = g.Wait()
	require.NoError(t, err)
	require.FileExists(t, filepath.Join(dir, "cleaned"))
	require.Less(t, time.Since(begun), 10*time.Second)
	output()
}
