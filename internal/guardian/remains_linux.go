package guardian

import (
	"time"

	"golang.org/x/sys/unix"
)

// killRemains is the host's part when the guardian was killed and its tree has lost the
// root: it kills the command's group, what the guardian had told of, and all below. What
// was born since the last report in a session of its own, and orphaned, escapes.
func killRemains(group int, told []Process) {
	_ = unix.Kill(-group, unix.SIGKILL)
	for range 40 {
		var roots []int
		for _, id := range told {
			if id.Alive() {
				roots = append(roots, id.PID)
			}
		}
		if len(roots) == 0 {
			return
		}
		for _, s := range descendants(roots...) {
			_ = unix.Kill(s.PID, unix.SIGKILL)
			told = append(told, s.Process)
		}
		for _, pid := range roots {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
		<-time.After(50 * time.Millisecond)
	}
}
