package local_test

import (
	"os"
	"runtime"
	"testing"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/replica"
	"github.com/spinup-llm/spinup/replica/local"
	"github.com/stretchr/testify/require"
)

func acquire(t *testing.T, p *local.Provisioner, req replica.Request) replica.Node {
	t.Helper()
	n, err := p.Acquire(t.Context(), req, lifecycle.Scope{})
	require.NoError(t, err)
	return n
}

func TestProvisionAndImageAreSkipped(t *testing.T) {
	t.Parallel()
	log := lifecycle.NewLog()
	n, err := new(local.Provisioner).Acquire(t.Context(), replica.Request{}, lifecycle.Scope{Emit: log.Append})
	require.NoError(t, err)
	require.NotEmpty(t, n.ID())
	var skipped []lifecycle.Stage
	for _, e := range log.Snapshot() {
		require.Equal(t, lifecycle.Skip, e.Phase)
		require.Equal(t, n.ID(), e.Node)
		skipped = append(skipped, e.Stage)
	}
	require.Equal(t, []lifecycle.Stage{lifecycle.StageProvision, lifecycle.StageImage}, skipped)
}

func TestReplicasShareTheCores(t *testing.T) {
	t.Parallel()
	var p local.Provisioner
	alone := acquire(t, &p, replica.Request{Share: 1})
	require.Empty(t, alone.CPUs(), "all of them")
	require.NoError(t, p.Release(t.Context(), alone))
	if runtime.NumCPU() < 2 {
		t.Log("one core cannot be divided")
		return
	}
	a, b := acquire(t, &p, replica.Request{Share: 2}), acquire(t, &p, replica.Request{Share: 2})
	require.NotEmpty(t, a.CPUs())
	for _, cpu := range a.CPUs() {
		require.NotContains(t, b.CPUs(), cpu)
	}
	require.NoError(t, p.Release(t.Context(), a))
	require.NoError(t, p.Release(t.Context(), a), "idempotent")
	require.Equal(t, a.CPUs(), acquire(t, &p, replica.Request{Share: 2}).CPUs(), "what was released is used again")
}

func TestNoneRunsOnTheCPU(t *testing.T) {
	t.Parallel()
	p := &local.Provisioner{Accelerator: "none"}
	require.Empty(t, acquire(t, p, replica.Request{Accelerator: "H100", Devices: 8}).Devices())
}

func TestAMissingAcceleratorIsNoCapacity(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/dev/nvidia0"); err == nil {
		t.Log("this machine has one")
		return
	}
	_, err := new(local.Provisioner).Acquire(t.Context(), replica.Request{Accelerator: "H100", Devices: 1}, lifecycle.Scope{})
	require.ErrorIs(t, err, lifecycle.NoCapacity)
	require.ErrorContains(t, err, "-accelerator none")
	require.Empty(t, acquire(t, new(local.Provisioner), replica.Request{Devices: 1}).Devices(), "no type named: the CPU will do")
}

func TestNamesOfNvidiaSMI(t *testing.T) {
	t.Parallel()
	ids, names := local.ParseDevices("0, NVIDIA A100-SXM4-40GB\n1, NVIDIA L40S\nwarning: something\n2, NVIDIA A10G\n")
	require.Equal(t, []string{"0", "1", "2"}, ids)
	for accelerator, want := range map[string][]bool{
		"A100": {true, false, false}, "A100-40G": {true, false, false}, "A100-80G": {false, false, false},
		"L4": {false, false, false}, "L40S": {false, true, false}, "A10G": {false, false, true}, "": {true, true, true},
	} {
		for i, name := range names {
			require.Equal(t, want[i], local.Is(name, accelerator), "%s is %s", name, accelerator)
		}
	}
}
