package main

import (
	"testing"
	"time"

	"github.com/spinup-llm/spinup/replica"
	"github.com/stretchr/testify/require"
)

func TestAStepIsFollowedWithinTheDelays(t *testing.T) {
	t.Parallel()
	c := replica.Scaling{
		Min: 1, Max: 4000, Target: 8, Interval: 10 * time.Second, LookBack: 30 * time.Second, UpscaleDelay: 30 * time.Second,
	}
	r := simulate(c, traffics()[0], time.Minute, 1)
	require.GreaterOrEqual(t, r.peak, r.needed)
	require.GreaterOrEqual(t, r.reaction, 90*time.Second, "the delay and a start are the least")
	require.Less(t, r.reaction, 10*time.Minute)
	require.Equal(t, r, simulate(c, traffics()[0], time.Minute, 1), "the same seed, the same numbers")
	c.UpscaleDelay = -1
	eager := simulate(c, traffics()[0], time.Minute, 1)
	require.Less(t, eager.reaction, r.reaction)
	require.Less(t, eager.waits, r.waits)
}
