package engine_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/internal/fakeengine"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

const (
	hostArg = "-host"
	addrArg = "-addr"
)

func TestMain(m *testing.M) {
	fakeengine.Main()
	if len(os.Args) == 5 && os.Args[1] == hostArg {
		host(os.Args[2], os.Args[3], os.Args[4])
	}
	if len(os.Args) == 2 && os.Args[1] == addrArg {
		chooseAddr()
	}
	goleak.VerifyTestMain(m)
}

// host is a program that runs an engine. It never returns.
func host(then, dir, modes string) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT)
	defer stop()
	spec := engine.Spec{ModelID: "fake", Dir: dir, Kwargs: map[string]any{"modes": modes}}
	if then == "preloading" {
		_ = engine.Preload(context.WithoutCancel(ctx), fakeengine.Early{}, spec, nil)
		fmt.Println("host: <nil>")
		select {}
	}
	p, err := engine.Start(context.WithoutCancel(ctx), fakeengine.Engine{}, spec, nil)
	if err != nil {
		panic(err)
	}
	if then == "careless" {
		shareDescriptors()
	}
	if then != "starting" {
		err = p.Ready(ctx)
	}
	fmt.Println("host:", err)
	switch then {
	case "return":
		os.Exit(0)
	case "interrupt":
		<-ctx.Done()
		fmt.Println("stopped:", p.Stop(context.Background()))
		os.Exit(0)
	}
	select {}
}

// chooseAddr is a program that has an address for an engine that does not listen yet. It
// never returns.
func chooseAddr() {
	addr, _, err := engine.FreeAddr(context.Background())
	if err != nil {
		panic(err)
	}
	fmt.Println(addr)
	select {}
}

// shareDescriptors starts a program that holds every pipe of the host open, as a host does
// that forks by itself.
func shareDescriptors() {
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		panic(err)
	}
	for _, name := range names {
		fd, err := strconv.Atoi(name.Name())
		link, _ := os.Readlink("/proc/self/fd/" + name.Name())
		if err == nil && strings.HasPrefix(link, "pipe:") {
			_, _ = unix.FcntlInt(uintptr(fd), unix.F_SETFD, 0)
		}
	}
	if err := exec.CommandContext(context.Background(), "/bin/sleep", "20").Start(); err != nil {
		panic(err)
	}
}

// start starts a fake engine; t's end stops it.
func start(t *testing.T, spec engine.Spec, opts *engine.Options) *engine.Process {
	t.Helper()
	p, err := engine.Start(t.Context(), fakeengine.Engine{}, spec, opts)
	require.NoError(t, err)
	t.Cleanup(func() { <-p.Done() })
	return p
}

// ready starts a fake engine and waits until it serves.
func ready(t *testing.T, spec engine.Spec, opts *engine.Options) *engine.Process {
	t.Helper()
	p := start(t, spec, opts)
	require.NoError(t, p.Ready(t.Context()))
	return p
}

// within fails t unless ch is closed or sends in time. The limit only ends a hopeless wait,
// or is a promise of the package.
func within[T any](t *testing.T, limit time.Duration, what string, ch <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-ch:
	case <-time.After(limit):
		require.FailNow(t, "too late", "%s after %v", what, limit)
	}
	return v
}

// requireGone fails t unless all processes end within limit.
func requireGone(t *testing.T, limit time.Duration, pids map[string]int) {
	t.Helper()
	require.NotEmpty(t, pids)
	var living []string
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		living = nil
		for role, pid := range pids {
			if alive(pid) {
				living = append(living, fmt.Sprintf("%s (%d)", role, pid))
			}
		}
		if len(living) == 0 {
			return
		}
	}
	require.Empty(t, living, "alive after %v", limit)
}

func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return os.IsNotExist(err) && !onLinux
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z")
}

var onLinux = func() bool { _, err := os.Stat("/proc/self/stat"); return err == nil }()

// brood waits until a fake engine's whole family is there.
func brood(t *testing.T, dir string) map[string]int {
	t.Helper()
	want := []string{"engine", "core", "worker", "deserter", "orphan"}
	var pids map[string]int
	require.Eventually(t, func() bool {
		pids = fakeengine.PIDs(t, dir)
		for _, role := range want {
			if pids[role] == 0 {
				return false
			}
		}
		return true
	}, 20*time.Second, 10*time.Millisecond)
	delete(pids, "deserter")
	for role, pid := range pids {
		require.True(t, alive(pid), role)
	}
	return pids
}

// stagesOf lists "phase stage" of the events, without progress.
func stagesOf(events []lifecycle.Event) []string {
	var out []string
	for _, e := range events {
		if e.Phase != lifecycle.Progress {
			out = append(out, e.Phase.String()+" "+string(e.Stage))
		}
	}
	return out
}
