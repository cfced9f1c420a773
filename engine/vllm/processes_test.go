package vllm_test

import (
	"testing"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/engine/vllm"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

func TestVitalProcesses(t *testing.T) {
	t.Parallel()
	e := installation(t)
	spec := engine.Spec{ModelID: "m", Dir: "/m", Addr: "127.0.0.1:1"}
	cmd, err := e.Command(spec)
	require.NoError(t, err)
	require.Equal(t, []string{"VLLM::"}, cmd.Vital)
	spec.Env = lifecycle.EnvVars{"VLLM_PROCESS_NAME_PREFIX": "MINE"}
	cmd, err = e.Command(spec)
	require.NoError(t, err)
	require.Equal(t, []string{"MINE::"}, cmd.Vital)
	require.Equal(t, "VLLM_RPC_BASE_PATH", cmd.Scratch)
}

func TestSpansHaveStages(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]lifecycle.Stage{
		"Load weights": lifecycle.StageLoadWeights, "Warmup (CPU)": lifecycle.StageCompile, "Capture model": lifecycle.StageCaptureGraphs,
	} {
		stage, ok := vllm.Engine{}.MapSpan(name)
		require.True(t, ok)
		require.Equal(t, want, stage)
	}
	_, ok := vllm.Engine{}.MapSpan("Overall Loading")
	require.False(t, ok, "it holds several stages")
}
