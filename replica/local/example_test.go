package local_test

import (
	"context"
	"fmt"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/replica"
	"github.com/spinup-llm/spinup/replica/local"
)

// What a configuration for GPUs asks for runs on the CPU, to try it.
func ExampleProvisioner() {
	p := &local.Provisioner{Accelerator: "none"}
	node, err := p.Acquire(context.Background(), replica.Request{Accelerator: "H100", Devices: 2}, lifecycle.Scope{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(node.Devices()), "devices")
	fmt.Println(p.Release(context.Background(), node))
	// Output:
	// 0 devices
	// <nil>
}
