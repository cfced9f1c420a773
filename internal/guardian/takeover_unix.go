//go:build unix

package guardian

import (
	"os"
	"syscall"
)

// The initialiser of this variable is where a guardian's life is spent. An init function
// would do the same; a variable says that it is one expression and nothing else.
var _ = takeOver()

// takeOver never returns in a guardian, and does nothing in any other process. A process
// that bears the marker without having been started by Start ends: going on as the host
// could start guardians without end.
func takeOver() bool {
	if os.Getenv(marker) == "" {
		return false
	}
	syscall.Exit(guard()) // no exit hooks: they are the host program's
	return true
}
