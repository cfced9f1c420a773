//go:build unix && !linux

package guardian

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// A tree is blind where there is no /proc: only the command itself is watched.
type tree struct{}

func newTree(int, []string) *tree { return &tree{} }

func (*tree) scan() (changed bool)                 { return false }
func (*tree) lost(map[int]unix.WaitStatus) []Death { return nil }
func (*tree) wake(fds []unix.PollFd) []unix.PollFd { return fds }
func (*tree) all() []Process                       { return nil }

// sweep kills the command's process group.
func sweep(main int, _ bool) (living int, refused []int) {
	if main > 0 {
		_ = unix.Kill(-main, unix.SIGKILL)
	}
	return 0, nil
}

// Family returns nil.
func Family(int) []Process { return nil }

// Alive reports false.
func (Process) Alive() bool { return false }

func adoptOrphans() {}

func dieWithParent(*syscall.SysProcAttr) {}

func killRemains(main int, _ []Process) { sweep(main, false) }
