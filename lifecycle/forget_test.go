package lifecycle_test

import (
	"errors"
	"fmt"
	"iter"
	"testing"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

// live lets a replica start with some progress, and end, unless it is to live.
func live(log *lifecycle.Log, id string, lives bool) {
	s := lifecycle.Scope{Emit: log.Append, Replica: id}
	download := s.Begin(lifecycle.StageDownload, "")
	for i := range 50 {
		download.Progress(int64(i), 50, "")
	}
	download.Close(nil)
	s.Mark(lifecycle.StageReady, "")
	if !lives {
		s.Begin(lifecycle.StageStopped, "").Close(errors.New("killed"))
	}
}

func TestALogThatLivesForMonthsIsBounded(t *testing.T) {
	t.Parallel()
	log := lifecycle.NewLog()
	live(log, "first", true)
	failing := lifecycle.Scope{Emit: log.Append, Replica: "failing"}
	failing.Begin(lifecycle.StageProvision, "").Close(errors.New("no node"))
	most := 0
	for i := range 5000 {
		live(log, fmt.Sprint("m#", i), false)
		if i%50 == 0 {
			most = max(most, len(log.Snapshot()))
		}
	}
	require.LessOrEqual(t, most, 20_001)
	events := log.Snapshot()
	replicas := map[string]int{}
	last := uint64(0)
	for _, e := range events {
		if e.Phase != lifecycle.Progress {
			replicas[e.Replica]++
		}
		require.Greater(t, e.Seq, last)
		last = e.Seq
	}
	require.Equal(t, uint64(5000*56+54+2), last, "numbers go on")
	require.Equal(t, 4, replicas["first"], "what lives keeps its stages, without the progress of the one that ended")
	require.Zero(t, replicas["failing"])
	require.Zero(t, replicas["m#0"])
	require.Equal(t, 6, replicas["m#4999"])
	require.Equal(t, lifecycle.Progress, events[len(events)-6].Phase, "the latest has its progress")
	for id, n := range replicas {
		require.Contains(t, []int{4, 6}, n, "%s is there as a whole or not at all", id)
	}
}

func TestAFollowerMissesNothing(t *testing.T) {
	t.Parallel()
	log := lifecycle.NewLog()
	next, stop := iter.Pull(log.All(t.Context()))
	defer stop()
	last := uint64(0)
	for i := range 1000 {
		live(log, fmt.Sprint("m#", i), false)
		for range 56 {
			e, ok := next()
			require.True(t, ok)
			require.Equal(t, last+1, e.Seq)
			last = e.Seq
		}
	}
}
