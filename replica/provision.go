package replica

import (
	"context"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/lifecycle"
)

// A Provisioner supplies nodes. The driver for this machine is in package local.
type Provisioner interface {
	// Acquire blocks until a node with the resources exists. It reports the stages
	// provision and image to scope, as skipped where there is nothing to do. An error of
	// kind NoCapacity means that waiting would not help.
	Acquire(ctx context.Context, req Request, scope lifecycle.Scope) (Node, error)
	// Release gives a node back. It is idempotent.
	Release(ctx context.Context, n Node) error
}

// A StandbyProvisioner has a place for processes that wait to become a replica. Optional.
type StandbyProvisioner interface {
	Provisioner
	// Standby returns a node that takes nothing from those of Acquire, and is not released.
	// What it launches may go on as a replica on any node with its ID; its devices are such
	// as a replica may get, and are not to be used before.
	Standby(ctx context.Context, req Request) (Node, error)
}

// Request is what a replica needs.
type Request struct {
	Accelerator string // "A10G", "H100"; "" means any, or none where there is none
	Devices     int    // accelerators; 0 means none
	Share       int    // how many replicas share the machine's cores when there is no accelerator; 0 means 1
}

// A Node is a place to run one replica. On this machine all replicas share one node.
type Node interface {
	engine.Launcher
	ID() string
	Devices() []string // indexes or UUIDs as CUDA_VISIBLE_DEVICES takes them; empty means the CPU
	CPUs() []int       // the cores for this replica when it runs on the CPU; empty means all
}
