//go:build linux

package main

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/spinup-llm/spinup/internal/guardian"
	"golang.org/x/sys/unix"
)

// cageArg makes this program a cage.
const cageArg = "cage"

// patience is how long a program may take to end before it is killed.
const patience = 15 * time.Second

// cage runs a command and owns all that ever descends from it: what is orphaned becomes its
// child, so that the CPU time of everything that has ended is counted here. The end of its
// input ends the command; it returns when nothing is left.
func cage(argv []string) error {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return err
	}
	cmd := exec.Command(argv[0], argv[1:]...) //nolint:gosec,noctx // what is measured; it ends with our input
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	main := cmd.Process.Pid // reap waits for it
	ended, empty := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(empty)
		reap(main, ended)
	}()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = syscall.Kill(main, syscall.SIGTERM) // it may have ended
		select {
		case <-ended:
		case <-time.After(patience):
			_ = syscall.Kill(main, syscall.SIGKILL) // see above
		}
	}()
	<-ended
	sweep(empty)
	return nil
}

// reap waits for all children, and tells when main has ended.
func reap(main int, ended chan<- struct{}) {
	for {
		pid, err := syscall.Wait4(-1, nil, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return
		case pid == main:
			close(ended)
		}
	}
}

// sweep kills what the command has left, which may still make more.
func sweep(empty <-chan struct{}) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		for _, p := range guardian.Family(os.Getpid())[1:] {
			_ = syscall.Kill(p.PID, syscall.SIGKILL) // it may have ended
		}
		select {
		case <-empty:
			return
		case <-tick.C:
		}
	}
}
