package local_test

import (
	"context"
	"os"
	"runtime"
	"testing"
	"time"

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
	ids, names := local.ParseDevices("0, GPU-a, NVIDIA A100-SXM4-40GB\n1, GPU-b, NVIDIA L40S\nwarning: something\n2, GPU-c, NVIDIA A10G\n")
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

func TestTheHostsVisibleDevicesAreAllThatIsHandedOut(t *testing.T) {
	t.Parallel()
	const smi = "0, GPU-aa11, NVIDIA L4\n1, GPU-bb22, NVIDIA L4\n2, GPU-cc33, NVIDIA L4\n"
	require.Equal(t, []string{"0", "1", "2"}, local.Visible(smi, "", false))
	for value, want := range map[string][]string{
		"": nil, "2,0": {"2", "0"}, "GPU-bb": {"1"}, " 1 , GPU-cc33": {"1", "2"},
		"MIG-5c1b,MIG-77aa": {"MIG-5c1b", "MIG-77aa"}, "1,-1,2": {"1"}, "NoDevFiles": nil, "1,1,2": {"1"}, "7": nil,
	} {
		require.Equal(t, want, local.Visible(smi, value, true), value)
	}
}

func TestSharesAreOfTheCoresThatTheProcessHas(t *testing.T) {
	t.Parallel()
	mask := []int{3, 5, 8, 13}
	require.Equal(t, []int{3, 5}, local.CoresOf(0, 2, mask))
	require.Equal(t, []int{8, 13}, local.CoresOf(1, 2, mask))
	require.Equal(t, []int{3}, local.CoresOf(4, 5, mask), "more shares than cores overlap")
	require.Nil(t, local.CoresOf(0, 1, mask), "all")
	require.Len(t, local.Cores(), runtime.NumCPU())
}

func TestACommandThatHangsIsAnError(t *testing.T) {
	t.Parallel()
	_, err := local.Output(t.Context(), 50*time.Millisecond, "sleep", "60")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "no answer within")
}
