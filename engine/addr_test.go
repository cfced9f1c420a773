package engine_test

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/internal/fakeengine"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestFreeAddressesAreGivenOnce(t *testing.T) {
	t.Parallel()
	const many = 600 // of 12768 ports: without care some would come twice
	var mu sync.Mutex
	seen := map[string]bool{}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range many / 4 {
				addr, release, err := engine.FreeAddr(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				t.Cleanup(release)
				mu.Lock()
				seen[addr] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	require.Len(t, seen, many)
}

func TestAddressOfAnotherHostsEngineIsRefused(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("hosts on other systems know nothing of each other")
	}
	other := exec.CommandContext(t.Context(), os.Args[0], addrArg)
	out, err := other.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, other.Start())
	addr, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	addr = strings.TrimSpace(addr)

	spec := fakeengine.Spec(t)
	spec.Addr = addr
	_, err = engine.Start(t.Context(), fakeengine.Engine{}, spec, nil)
	require.ErrorIs(t, err, lifecycle.Invalid)
	require.ErrorContains(t, err, "belongs to another engine")

	require.NoError(t, other.Process.Kill()) // nothing is left of the claim
	_ = other.Wait()
	start(t, spec, nil)
}

// What answers at 127.0.0.1 would pass for an engine that is to listen there among others.
func TestAddressOfAnotherServerIsRefused(t *testing.T) {
	t.Parallel()
	other, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, other.Close()) }()
	_, port, err := net.SplitHostPort(other.Addr().String())
	require.NoError(t, err)
	for _, host := range []string{"127.0.0.1", "localhost", "0.0.0.0", "::", ""} {
		spec := fakeengine.Spec(t)
		spec.Addr = net.JoinHostPort(host, port)
		_, err = engine.Start(t.Context(), fakeengine.Engine{}, spec, nil)
		require.ErrorIs(t, err, lifecycle.Invalid, spec.Addr)
		if host == "127.0.0.1" {
			continue
		}
		s := newStage() // where it runs, the address is free for all we know
		p, err := engine.Start(t.Context(), fakeengine.Engine{}, spec, &engine.Options{Launcher: s})
		require.NoError(t, err, spec.Addr)
		s.end(0)
		<-p.Done()
	}
}

// One port is one engine's, whichever name of this node it is asked for by.
func TestAddressUnderAnotherName(t *testing.T) {
	t.Parallel()
	p := ready(t, fakeengine.Spec(t), nil)
	for _, host := range []string{"localhost", "0.0.0.0", ""} {
		spec := fakeengine.Spec(t)
		spec.Addr = net.JoinHostPort(host, p.Endpoint().Port())
		_, err := engine.Start(t.Context(), fakeengine.Engine{}, spec, nil)
		require.ErrorContains(t, err, "belongs to another engine", spec.Addr)
	}
	require.NoError(t, p.Stop(t.Context()))
}

// A vLLM that starts is bound to its port, shares it and does not listen.
func TestPortThatAnotherWouldShareIsNotFree(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux' rules of sharing are known here")
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	require.NoError(t, err)
	unix.CloseOnExec(fd)
	defer unix.Close(fd)
	require.NoError(t, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1))
	require.NoError(t, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1))
	require.NoError(t, unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	bound, err := unix.Getsockname(fd)
	require.NoError(t, err)
	addr := fmt.Sprintf("127.0.0.1:%d", bound.(*unix.SockaddrInet4).Port)

	require.Error(t, engine.TryFree(t.Context(), addr))
}
