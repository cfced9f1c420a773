// Package local provisions this machine: every replica runs here, on accelerators that it
// has, or on its processor.
//
//	set := replica.NewSet(&local.Provisioner{Accelerator: "none"}, start, nil)
package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/replica"
)

// Provisioner hands out this machine, as far as this process may use it. The zero value
// detects its accelerators: NVIDIA's, by /dev/nvidia* and nvidia-smi, of which
// CUDA_VISIBLE_DEVICES leaves what it names. Engines on the processor share the cores of the
// process's affinity mask. Share one Provisioner among the sets of a process, so that
// a device has one owner.
type Provisioner struct {
	// Accelerator "none" runs every engine on the processor, whatever the configuration
	// asks for; "" detects.
	Accelerator string

	mu     sync.Mutex
	used   map[string]bool // devices that are taken
	shares map[int]bool    // shares of the cores that are taken
	_      struct{}
}

// Acquire implements replica.Provisioner. It never waits: what this machine lacks now is
// an error of kind NoCapacity.
func (p *Provisioner) Acquire(ctx context.Context, req replica.Request, scope lifecycle.Scope) (replica.Node, error) {
	if p.Accelerator != "" && p.Accelerator != "none" {
		return nil, &lifecycle.Error{
			Op: "local.Acquire", Kind: lifecycle.Invalid, Target: p.Accelerator, Err: errors.New("unknown accelerator"),
			Hint: `use "none" for the CPU, or "" to detect`,
		}
	}
	devices, err := p.take(ctx, req)
	if err != nil {
		scope.Begin(lifecycle.StageProvision, "").Close(err)
		return nil, err
	}
	n := &node{id: hostname(), devices: devices}
	if len(devices) == 0 {
		n.share = p.takeShare()
		n.cpus = coresOf(n.share, max(1, req.Share), cores())
	}
	scope.Node = n.id
	scope.Skip(lifecycle.StageProvision, "this machine")
	scope.Skip(lifecycle.StageImage, "no image on this machine")
	return n, nil
}

// Release implements replica.Provisioner.
func (p *Provisioner) Release(_ context.Context, n replica.Node) error {
	own, ok := n.(*node)
	if !ok {
		return fmt.Errorf("local: %T is not a node of this provisioner", n)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if own.released {
		return nil
	}
	own.released = true
	for _, d := range own.devices {
		delete(p.used, d)
	}
	if len(own.devices) == 0 {
		delete(p.shares, own.share)
	}
	return nil
}

// Standby implements replica.StandbyProvisioner: the first devices of the kind, used or not.
func (p *Provisioner) Standby(ctx context.Context, req replica.Request) (replica.Node, error) {
	present, err := p.present(ctx, req)
	if err != nil {
		return nil, err
	}
	devices, err := p.choose(req, present, nil)
	if err != nil {
		return nil, err
	}
	n := &node{id: hostname(), devices: devices}
	if len(devices) == 0 {
		n.cpus = coresOf(0, max(1, req.Share), cores())
	}
	return n, nil
}

// take reserves req.Devices accelerators.
func (p *Provisioner) take(ctx context.Context, req replica.Request) ([]string, error) {
	present, err := p.present(ctx, req)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	devices, err := p.choose(req, present, p.used)
	if p.used == nil {
		p.used = map[string]bool{}
	}
	for _, id := range devices {
		p.used[id] = true
	}
	return devices, err
}

// present are the machine's accelerators, where req asks for any.
func (p *Provisioner) present(ctx context.Context, req replica.Request) ([]device, error) {
	if p.Accelerator == "none" || req.Devices == 0 {
		return nil, nil
	}
	return detect(ctx)
}

// choose returns req.Devices of those that are not used. A machine without any serves
// requests that name no type on its processor.
func (p *Provisioner) choose(req replica.Request, present []device, used map[string]bool) ([]string, error) {
	if p.Accelerator == "none" || req.Devices == 0 || len(present) == 0 && req.Accelerator == "" {
		return nil, nil
	}
	var free []string
	for _, d := range present {
		if !used[d.id] && d.is(req.Accelerator) {
			free = append(free, d.id)
		}
	}
	if len(free) < req.Devices {
		return nil, lacking(req, present, len(free))
	}
	return free[:req.Devices], nil
}

func lacking(req replica.Request, present []device, free int) error {
	want := req.Accelerator
	if want == "" {
		want = "accelerator"
	}
	have := "none"
	if len(present) > 0 {
		names := make([]string, len(present))
		for i, d := range present {
			names[i] = d.name
		}
		have = strings.Join(names, ", ")
	}
	return &lifecycle.Error{
		Op: "local.Acquire", Kind: lifecycle.NoCapacity, Target: want,
		Err:  fmt.Errorf("%d wanted, %d free; this machine has: %s", req.Devices, free, have),
		Hint: `change accelerator_type, or run on the CPU with -accelerator none (local.Provisioner{Accelerator: "none"})`,
	}
}

// takeShare reserves the lowest free share of the cores.
func (p *Provisioner) takeShare() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shares == nil {
		p.shares = map[int]bool{}
	}
	for i := 0; ; i++ {
		if !p.shares[i] {
			p.shares[i] = true
			return i
		}
	}
}

// node is this machine.
type node struct {
	engine.Exec
	id       string
	devices  []string
	cpus     []int
	share    int
	released bool
}

func (n *node) ID() string        { return n.id }
func (n *node) Devices() []string { return n.devices }
func (n *node) CPUs() []int       { return n.cpus }

func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return "localhost"
	}
	return name
}
