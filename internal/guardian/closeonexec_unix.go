//go:build unix

package guardian

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// closeOnExec keeps the descriptors from first on out of programs started from here: our
// own, and what the host inherited or opened carelessly.
func closeOnExec(first int) {
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		names, _ = os.ReadDir("/dev/fd")
	}
	for _, name := range names {
		if fd, err := strconv.Atoi(name.Name()); err == nil && fd >= first {
			unix.CloseOnExec(fd)
		}
	}
}
