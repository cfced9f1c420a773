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
	// Output: 322 s: download 196 engine_config 1 start_workers 17 load_weights 16 compile 71 profile_memory 4 capture_graphs 16 start_server 1
}

// Each recording is predicted from the others.
func TestPredictsTheRecordings(t *testing.T) {
	t.Parallel()
	for i := range costmodel.Recordings {
		r := &costmodel.Recordings[i]
		got := costmodel.HeldOut(i)
		t.Logf("%s, %s: %.0f s predicted, %.0f recorded (%+.0f %%)", r.Job.Name, r.Way.Name, got, r.Seconds, 100*(got/r.Seconds-1))
		require.InEpsilon(t, r.Seconds, got, 0.1)
	}
}

func TestOneRankMeetsNobody(t *testing.T) {
	t.Parallel()
	one, two := costmodel.Job{Layers: 1, Ranks: 1}, costmodel.Job{Layers: 1, Ranks: 2}
	alone, _ := costmodel.H100.Predict(one, costmodel.Plain)
	together, _ := costmodel.H100.Predict(two, costmodel.Plain)
	require.InDelta(t, costmodel.H100.Meet, together-alone, 1e-6)
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
