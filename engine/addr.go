package engine

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
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

// promised are the ports that engines of this process were given. What other processes were
// given is known by claimNode.
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
	if _, _, err = net.SplitHostPort(wanted); err != nil {
		return "", nil, addrError(wanted, err)
	}
	port, ok := loopbackPort(wanted)
	if !ok {
		return wanted, func() {}, nil
	}
	release, ok = claim(ctx, port)
	if !ok {
		return "", nil, addrError(wanted, errors.New("the port belongs to another engine, which may not listen yet"))
	}
	if err = tryListen(ctx, wanted, &net.ListenConfig{}); err != nil { // another server there would pass for the engine
		release()
		return "", nil, addrError(wanted, err)
	}
	return wanted, release, nil
}

// loopbackPort is the port of an address that only this node reaches.
func loopbackPort(addr string) (port int, ok bool) {
	a, err := netip.ParseAddrPort(addr)
	return int(a.Port()), err == nil && a.Addr().IsLoopback()
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
		release, ok := claim(ctx, port)
		if !ok {
			continue
		}
		addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		if tryListen(ctx, addr, &alone) == nil {
			return addr, release, nil
		}
		release()
	}
	return "", nil, addrError("127.0.0.1", errors.New("no free port found"))
}

func tryListen(ctx context.Context, addr string, how *net.ListenConfig) error {
	l, err := how.Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	return l.Close()
}

// claim keeps a port from the engines of all hosts of this node until release: an engine
// may bind it minutes later, and vLLM shares a port with whoever else wants to (SO_REUSEPORT),
// so that two would answer each other's requests. It returns false where another has the port.
func claim(ctx context.Context, port int) (release func(), ok bool) {
	if !promise(port) {
		return nil, false
	}
	releaseNode, ok := claimNode(ctx, port)
	if !ok {
		forget(port)
		return nil, false
	}
	return func() { releaseNode(); forget(port) }, true
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
