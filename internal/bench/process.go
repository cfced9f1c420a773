//go:build linux

package bench

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// keptOutput is how many bytes of what a failed program said are shown.
const keptOutput = 600

// A Usage is what one run of a program took, with all its descendants that it waited for.
type Usage struct {
	Wall time.Duration
	CPU  time.Duration // user and system
	// RSS is the largest resident set of any single process, in bytes. It is never below
	// Floor.
	RSS int64
}

// Floor is the largest resident set of this process so far, in bytes. The kernel counts it
// for each program that is started from here: what is below cannot be told.
func Floor() int64 {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r) // it cannot fail
	return r.Maxrss << 10
}

// Run runs a program to its end. env is all of its environment; nil means that of this
// process. Its output is thrown away, but for the end of it in an error. When ctx ends, its
// process group is killed.
func Run(ctx context.Context, argv, env []string) (Usage, error) {
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...) //nolint:gosec // what is measured
	cmd.Env, cmd.Stdout, cmd.Stderr = env, &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	start := time.Now()
	err := cmd.Run()
	usage := Usage{Wall: time.Since(start)}
	if state := cmd.ProcessState; state != nil {
		usage.CPU = state.UserTime() + state.SystemTime()
		if r, ok := state.SysUsage().(*syscall.Rusage); ok {
			usage.RSS = r.Maxrss << 10
		}
	}
	if ctx.Err() != nil {
		return usage, ctx.Err()
	}
	if err != nil {
		said := strings.TrimSpace(out.String())
		return usage, fmt.Errorf("%s: %w: %s", cmd.Path, err, said[max(0, len(said)-keptOutput):])
	}
	return usage, nil
}
