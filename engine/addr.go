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

// promised are the addresses that engines of this process were given. What other processes were
// given is known by claimNode.
var promised = struct {
	sync.Mutex
	addrs map[string]bool
}{addrs: map[string]bool{}}

// listenAddr returns the address for an engine, wanted or else free, and what gives it
// back. here says that the engine will run on this node.
func listenAddr(ctx context.Context, wanted string, here bool) (addr string, release func(), err error) {
	if wanted == "" {
		return freeAddr(ctx)
	}
	if _, _, err = net.SplitHostPort(wanted); err != nil {
		return "", nil, addrError(wanted, err)
	}
	ours, ok := oursOf(wanted, here)
	if !ok {
		return wanted, func() {}, nil
	}
	release, ok = claim(ctx, ours)
	if !ok {
		return "", nil, addrError(wanted, errors.New("the port belongs to another engine, which may not listen yet"))
	}
	if err = tryListen(ctx, wanted, &net.ListenConfig{}); err != nil { // another server there would pass for the engine
		release()
		return "", nil, addrError(wanted, err)
	}
	return wanted, release, nil
}

// oursOf is the address of loopback, with a port of its own, by which this node reaches what
// listens on addr; false where there is none. localhost and all addresses are each node's own.
func oursOf(addr string, here bool) (ours string, ok bool) {
	ours = addr
	switch host, port, _ := net.SplitHostPort(addr); {
	case here && host == "localhost":
		ours = net.JoinHostPort("127.0.0.1", port)
	case here:
		ours = reachable(addr)
	}
	a, err := netip.ParseAddrPort(ours)
	return ours, err == nil && a.Addr().IsLoopback() && a.Port() != 0
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
		addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		release, ok := claim(ctx, addr)
		if !ok {
			continue
		}
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

// claim keeps an address from the engines of all hosts of this node until release: an engine
// may bind it minutes later, and vLLM shares a port with whoever else wants to (SO_REUSEPORT),
// so that two would answer each other's requests. It returns false where another has it.
func claim(ctx context.Context, addr string) (release func(), ok bool) {
	if !promise(addr) {
		return nil, false
	}
	releaseNode, ok := claimNode(ctx, addr)
	if !ok {
		forget(addr)
		return nil, false
	}
	return func() { releaseNode(); forget(addr) }, true
}

func promise(addr string) bool {
	promised.Lock()
	defer promised.Unlock()
	if promised.addrs[addr] {
		return false
	}
	promised.addrs[addr] = true
	return true
}

func forget(addr string) {
	promised.Lock()
	defer promised.Unlock()
	delete(promised.addrs, addr)
}

// reachable is where the host finds what listens on addr.
func reachable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip.IsUnspecified()) {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return addr
}
