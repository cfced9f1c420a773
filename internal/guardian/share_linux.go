package guardian

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// A share is what of the processors a guardian and all below it are to get. Each guardian leads a
// session, and Linux can share processors between sessions rather than processes (autogroup,
// sched(7)); unlike a process, a session that was put behind others gets back what it had without
// privileges. Where the system does not do so, as where a container's own limits rule, all stays
// as it is.
type share string

// smallShare is about a tenth of each processor that others want, too: where they want all for
// long, what yields gets on nevertheless.
const (
	fullShare  share = "0"
	smallShare share = "10"
)

// take sets s as the guardian's and reports whether it has to be tried again: the system allows
// ten changes a second, of all users together.
func (s share) take() (again bool) {
	f, err := os.OpenFile("/proc/self/autogroup", os.O_WRONLY, 0)
	if err != nil {
		return false // there is no such thing here
	}
	_, err = f.WriteString(string(s))
	_ = f.Close()
	return errors.Is(err, unix.EAGAIN)
}
