package local_test

import (
	"os"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"golang.org/x/sys/unix"
)

// asUser runs f as a user whom modes stop: root without the capabilities to pass them, which is
// so for one thread, that ends with f.
func asUser(t *testing.T, f func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		f()
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var caps [2]unix.CapUserData
		if !assert.NoError(t, unix.Capget(&head, &caps[0])) {
			return
		}
		caps[0].Effective &^= 1<<unix.CAP_DAC_OVERRIDE | 1<<unix.CAP_DAC_READ_SEARCH
		if assert.NoError(t, unix.Capset(&head, &caps[0])) {
			f()
		}
	}()
	<-done
}
