package testserver

import "syscall"

// diesWithParent has the kernel kill the server when a test ends without its cleanup, as
// after a timeout.
func diesWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
