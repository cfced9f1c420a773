package costmodel_test

import (
	"fmt"
	"testing"

	"github.com/spinup-llm/spinup/internal/bench/costmodel"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

func ExampleCosts_Predict() {
	total, path := costmodel.H100.Predict(costmodel.Jobs[1], costmodel.Ours)
	fmt.Printf("%.0f s:", total)
	for _, s := range path {
		fmt.Printf(" %s %.0f", s.Name, s.Seconds)
	}
	// Output: 323 s: download 196 engine_config 1 start_workers 17 load_weights 16 compile 71 profile_memory 4 capture_graphs 16 start_server 1
}

// recorded are the starts of Llama 3 70B from which the costs come, from the first process
// of a replica to the open server, and Ray's published starts of Qwen 3 235B on 8 × H100,
// from which none does, from the driver on.
var recorded = []struct {
	job     costmodel.Job
	way     costmodel.Way
	boot    bool // counted
	seconds float64
	within  float64 // of it, how far the prediction may be off
}{
	{costmodel.Jobs[1], costmodel.RayPlain, false, 351, 0.03},
	{costmodel.Jobs[1], costmodel.RaySharded, false, 165, 0.03},
	{costmodel.Jobs[1], costmodel.RayTuned, false, 115, 0.03},
	{costmodel.Jobs[2], costmodel.RayPlain, true, 1007, 0.2},
	{costmodel.Jobs[2], costmodel.RayTuned, true, 292, 0.5}, // see docs/coldstart.md
}

func TestPredictsTheRecordings(t *testing.T) {
	t.Parallel()
	for _, r := range recorded {
		costs := costmodel.H100
		if !r.boot {
			costs.RayBoot = 0
		}
		got, _ := costs.Predict(r.job, r.way)
		t.Logf("%s, %s: %.0f s predicted, %.0f recorded (%+.0f %%)", r.job.Name, r.way.Name, got, r.seconds, 100*(got/r.seconds-1))
		require.InEpsilon(t, r.seconds, got, r.within)
	}
}

func TestNothingWaitsWithoutNeed(t *testing.T) {
	t.Parallel()
	for _, j := range costmodel.Jobs {
		plain, path := costmodel.H100.Predict(j, costmodel.Plain)
		sum := 0.0
		for _, s := range costmodel.H100.Steps(j, costmodel.Plain) {
			sum += s.Seconds
		}
		require.InDelta(t, sum, plain, 1e-6, "one after the other")
		require.Len(t, path, len(costmodel.H100.Steps(j, costmodel.Plain)))

		ours, path := costmodel.H100.Predict(j, costmodel.Ours)
		require.InDelta(t, costmodel.H100.Import, plain-ours, 1e-6, "an import hides behind a download that takes longer")
		require.Equal(t, lifecycle.StageDownload, path[0].Name)
		fast := costmodel.H100
		fast.Download = 1e18
		_, path = fast.Predict(j, costmodel.Ours)
		require.Equal(t, lifecycle.StagePreload, path[0].Name, "or the download behind the import")
	}
}
