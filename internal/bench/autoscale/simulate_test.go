package main

import (
	"strings"
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

func TestRecordedTraffic(t *testing.T) {
	t.Parallel()
	const file = "TIMESTAMP,Tokens\r\n2023-11-16 18:17:03.5,1\r\n2023-11-16 18:17:05.0319600,2\r\n2023-11-16 18:17:25,3"
	tr, err := recorded("trace.csv", strings.NewReader(file), 5)
	require.NoError(t, err)
	require.Equal(t, 30*time.Second, tr.long)
	for at, rate := range map[time.Duration]float64{0: 1, 9 * time.Second: 1, 10 * time.Second: 0, 29 * time.Second: 0.5} {
		require.InDelta(t, rate, tr.rate(at), 1e-9, at)
	}
	require.InDelta(t, 15, simulate(replica.Scaling{Max: 9, Target: 1, Interval: time.Second, LookBack: time.Second}, tr, time.Second, 1).requests, 12)
	for says, file := range map[string]string{"line 3": file[:50] + "\nno moment,1\n", "no line begins": "TIMESTAMP\n"} {
		_, err := recorded("trace.csv", strings.NewReader(file), 1)
		require.ErrorContains(t, err, says)
	}
}
