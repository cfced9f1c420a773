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
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/replica"
)

// Provisioner hands out this machine. The zero value detects its accelerators (NVIDIA, by
// /dev/nvidia* and nvidia-smi). Share one Provisioner among the sets of a process, so that
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
		n.cpus = coresOf(n.share, max(1, req.Share))
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

// take reserves req.Devices accelerators. A machine without any serves requests that name
// no type on its processor.
func (p *Provisioner) take(ctx context.Context, req replica.Request) ([]string, error) {
	if p.Accelerator == "none" || req.Devices == 0 {
		return nil, nil
	}
	present, err := detect(ctx)
	if err != nil {
		return nil, err
	}
	if len(present) == 0 && req.Accelerator == "" {
		return nil, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var free []string
	for _, d := range present {
		if !p.used[d.id] && d.is(req.Accelerator) {
			free = append(free, d.id)
		}
	}
	if len(free) < req.Devices {
		return nil, lacking(req, present, len(free))
	}
	if p.used == nil {
		p.used = map[string]bool{}
	}
	for _, id := range free[:req.Devices] {
		p.used[id] = true
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

// coresOf returns the cores of one of n equal shares; shares overlap when there are fewer
// cores than shares. One share has all, which is said by nil.
func coresOf(share, n int) []int {
	cores := runtime.NumCPU()
	if n <= 1 {
		return nil
	}
	each := max(1, cores/n)
	first := share * each % cores
	out := make([]int, 0, each)
	for i := range each {
		out = append(out, (first+i)%cores)
	}
	slices.Sort(out)
	return out
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

var errNoSMI = errors.New("nvidia-smi is missing or failed")

// is tells whether nvidia-smi's name is of Ray's accelerator type: every part of the type is
// a word of the name, with or without a final B ("A100-40G" is "NVIDIA A100-SXM4-40GB").
func (d device) is(accelerator string) bool {
	words := strings.FieldsFunc(strings.ToUpper(d.name), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
	for part := range strings.SplitSeq(strings.ToUpper(accelerator), "-") {
		if part != "" && !slices.Contains(words, part) && !slices.Contains(words, part+"B") {
			return false
		}
	}
	return true
}

// device is one accelerator.
type device struct {
	id   string // index
	name string // as nvidia-smi says: "NVIDIA H100 80GB HBM3"
}

func parseDevices(out string) []device {
	var devices []device
	for line := range strings.Lines(out) {
		id, name, ok := strings.Cut(strings.TrimSpace(line), ", ")
		if _, err := strconv.Atoi(id); ok && err == nil {
			devices = append(devices, device{id: id, name: name})
		}
	}
	return devices
}
