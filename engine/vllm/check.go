package vllm

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/internal/driver"
	"github.com/spinup-llm/spinup/internal/memory"
	"github.com/spinup-llm/spinup/lifecycle"
)

// check is one run of Engine.Check. Each of its methods joins what it finds.
type check struct {
	spec engine.Spec
	inst install
}

func problem(kind lifecycle.Kind, target, what, hint string) *lifecycle.Error {
	return &lifecycle.Error{Op: "vllm.Check", Kind: kind, Target: target, Err: errors.New(what), Hint: hint}
}

// options holds the kwargs against the installed version's own list.
func (c *check) options() error {
	kwargs, err := normalize(c.spec)
	if err != nil {
		return err
	}
	_, err = flags(kwargs, readOptions(c.inst.pkg))
	if onCPU(c.spec) && truthy(kwargs["enable_sleep_mode"]) {
		err = errors.Join(err, invalidKwarg("enable_sleep_mode", "sleep mode needs a GPU", "remove enable_sleep_mode, and Options.SleepAfter"))
	}
	return errors.Join(err, c.adapters())
}

// machine holds memory, shared memory and the port against what vLLM will ask for.
func (c *check) machine() error {
	return errors.Join(c.memory(), c.shared(), c.port())
}

// memory refuses what cannot fit by far: on the CPU, weights and KV cache share the
// machine's memory.
func (c *check) memory() error {
	limit := memory.Limit()
	if !onCPU(c.spec) || limit == 0 {
		return nil
	}
	weights := weightBytes(c.spec)
	if weights > limit {
		return problem(lifecycle.NoSpace, c.spec.Dir,
			fmt.Sprintf("the weights take %s, the machine has %s of memory", size(weights), size(limit)),
			"take a machine with more memory, or a smaller or quantized model")
	}
	space, ok := driver.Number(c.spec.Env["VLLM_CPU_KVCACHE_SPACE"])
	if !ok {
		return nil
	}
	if need := weights + int64(space)*int64(ranks(c.spec.Kwargs))<<30; need > limit {
		return problem(lifecycle.NoSpace, "VLLM_CPU_KVCACHE_SPACE",
			fmt.Sprintf("weights and KV cache take %s, the machine has %s of memory", size(need), size(limit)),
			"lower VLLM_CPU_KVCACHE_SPACE (GiB per rank) in env_vars")
	}
	return nil
}

func size(n int64) string { return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30)) }

// shared refuses a /dev/shm in which not even the queues between processes fit.
func (c *check) shared() error {
	const least = 16 << 20
	if free, ok := sharedMemory(); ok && free < least {
		return problem(lifecycle.NoSpace, "/dev/shm", fmt.Sprintf("only %d MiB are free", free>>20), shmHint)
	}
	return nil
}

// port finds out in a millisecond what vLLM says after its imports.
func (c *check) port() error {
	if c.spec.Addr == "" {
		return nil
	}
	addr, err := net.ResolveTCPAddr("tcp", c.spec.Addr)
	if err != nil {
		return problem(lifecycle.Invalid, c.spec.Addr, err.Error(), "give host:port, such as 127.0.0.1:8001")
	}
	l, err := net.ListenTCP("tcp", addr)
	if err != nil {
		return problem(lifecycle.Unavailable, c.spec.Addr, err.Error(), "another process listens there: end it, or let a free port be chosen")
	}
	return l.Close()
}

// at is a file of the model's.
func (c *check) at(name string) string { return filepath.Join(c.spec.Dir, name) }
