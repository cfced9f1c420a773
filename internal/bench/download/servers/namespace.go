//go:build linux

package servers

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// A Namespace has a network of its own that consists of a loopback interface with the rate
// and the packets of a real link. What runs in it reaches nothing outside but unix sockets.
type Namespace struct{ name string }

// NewNamespace makes one whose loopback carries so many bits per second. It needs root, and
// ip and tc of iproute2.
func NewNamespace(ctx context.Context, bits int64) (*Namespace, error) {
	n := &Namespace{name: "spinup-bench-" + strconv.Itoa(os.Getpid())}
	if err := run(ctx, "ip", "netns", "add", n.name); err != nil {
		return nil, err
	}
	for _, command := range []string{
		"ip link set lo mtu 1500 up",
		"tc qdisc add dev lo root tbf rate " + strconv.FormatInt(bits, 10) + "bit burst 1mb latency 50ms",
	} {
		if err := run(ctx, n.wrap(strings.Fields(command))...); err != nil {
			n.Close(ctx)
			return nil, err
		}
	}
	return n, nil
}

// Close removes the namespace. Programs that still run keep it until they end.
func (n *Namespace) Close(ctx context.Context) { _ = run(ctx, "ip", "netns", "del", n.name) } // it may be gone

func (n *Namespace) wrap(argv []string) []string {
	return append([]string{"ip", "netns", "exec", n.name}, argv...)
}

func run(ctx context.Context, argv ...string) error {
	out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput() //nolint:gosec // see the callers
	if err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(argv, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
