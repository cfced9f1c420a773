package spinup_test

import (
	"context"
	"testing"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/internal/fakeengine"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/replica"
	"github.com/stretchr/testify/require"
)

// stingy has nothing, and tells for how much it was asked.
type stingy struct {
	replica.Provisioner
	asked chan int
}

func (p stingy) Acquire(_ context.Context, r replica.Request, _ lifecycle.Scope) (replica.Node, error) {
	p.asked <- r.Devices
	return nil, &lifecycle.Error{Op: "stingy", Kind: lifecycle.NoCapacity}
}

// One engine has all ranks of its model that are on its node.
func TestAReplicaAsksForTheDevicesOfAllItsRanks(t *testing.T) {
	t.Parallel()
	for want, extra := range map[int]map[string]any{
		24: {"data_parallel_size": 4},
		12: {"data_parallel_size": 4, "data_parallel_size_local": 2},
		6:  {"data_parallel_size": 4, "data_parallel_rank": 0},
		30: {"data_parallel_size": "5"},
		18: {"data_parallel_size": int64(4), "data_parallel_size_local": 3.0},
	} {
		require.Equal(t, want, asked(t, extra), "%v", extra)
	}
	require.Equal(t, 6, asked(t, map[string]any{"data_parallel_size": 4, "enable_dp_attention": true}), "SGLang's are within those of tensors")
}

// asked is for how many devices a replica asks, with two ranks of tensors and three of the pipeline.
func asked(t *testing.T, extra map[string]any) int {
	t.Helper()
	o, cfg, p := quiet(), tiny(), stingy{asked: make(chan int, 9)}
	o.Provisioner, o.Engines = p, map[string]engine.Engine{"fake": fakeengine.Engine{}}
	cfg.LLMEngine = "fake"
	cfg.EngineKwargs.TensorParallelSize, cfg.EngineKwargs.PipelineParallelSize, cfg.EngineKwargs.Extra = 2, 3, extra
	d := begin(t, o, cfg)
	require.ErrorIs(t, d.Ready(t.Context()), lifecycle.NoCapacity)
	return <-p.asked
}
