package engine

import (
	"context"
	"errors"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// claimNode claims an address of loopback among the processes of its network namespace by a name
// that ends with the process that holds it: an abstract unix socket. A system that knows none
// claims nothing.
func claimNode(ctx context.Context, addr string) (release func(), ok bool) {
	l, err := new(net.ListenConfig).Listen(ctx, "unix", "@spinup-engine-"+addr)
	if err != nil {
		return func() {}, !errors.Is(err, unix.EADDRINUSE)
	}
	return func() { _ = l.Close() }, true
}

// alone binds no address that another socket is bound to, even one that would share it and
// does not listen yet.
var alone = net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
	var err error
	ctl := c.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 0)
	})
	return errors.Join(ctl, err)
}}
