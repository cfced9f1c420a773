package engine

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"

	"github.com/spinup-llm/spinup/lifecycle"
)

// Ports come from below the range that systems hand out to outgoing connections (Linux:
// 32768 and up): minutes may pass until an engine listens, and a connection to another
// engine must not take its port meanwhile.
const (
	firstPort = 20000
	lastPort  = 32767
)

// promised are the ports that engines of this process were given and may not have bound
// yet.
var promised = struct {
	sync.Mutex
	ports map[int]bool
}{ports: map[int]bool{}}

// listenAddr returns the address for an engine, wanted or else free, and what gives it
// back.
func listenAddr(ctx context.Context, wanted string) (addr string, release func(), err error) {
	if wanted == "" {
		return freeAddr(ctx)
	}
	host, _, err := net.SplitHostPort(wanted)
	if err != nil {
		return "", nil, addrError(wanted, err)
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsLoopback() {
		err = tryListen(ctx, wanted) // another server there would pass for the engine
	}
	if err != nil {
		return "", nil, addrError(wanted, err)
	}
	return wanted, func() {}, nil
}

func addrError(addr string, err error) error {
	return &lifecycle.Error{
		Op: "engine.Start", Kind: lifecycle.Invalid, Target: addr, Err: err,
		Hint: "choose another host:port, or none for a free one",
	}
}

func freeAddr(ctx context.Context) (addr string, release func(), err error) {
	for range 100 {
		port := firstPort + rand.IntN(lastPort-firstPort+1) //nolint:gosec // any port will do
		if !promise(port) {
			continue
		}
		addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		if tryListen(ctx, addr) == nil {
			return addr, func() { forget(port) }, nil
		}
		forget(port)
	}
	return "", nil, addrError("127.0.0.1", errors.New("no free port found"))
}

func tryListen(ctx context.Context, addr string) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	return l.Close()
}

func promise(port int) bool {
	promised.Lock()
	defer promised.Unlock()
	if promised.ports[port] {
		return false
	}
	promised.ports[port] = true
	return true
}

func forget(port int) {
	promised.Lock()
	defer promised.Unlock()
	delete(promised.ports, port)
}

// reachable is where the host finds what listens on addr.
func reachable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip.IsUnspecified()) {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return addr
}
