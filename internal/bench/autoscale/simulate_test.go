package main

import (
	"fmt"
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

func TestWhatCannotBeSimulatedIsRefused(t *testing.T) {
	t.Parallel()
	right := replica.Scaling{Target: 8, Interval: time.Second, LookBack: time.Second}
	require.NoError(t, check(right))
	for _, spoil := range []func(c *replica.Scaling){
		func(c *replica.Scaling) { c.Interval = 0 },
		func(c *replica.Scaling) { c.Interval = -time.Second },
		func(c *replica.Scaling) { c.LookBack = -time.Second },
		func(c *replica.Scaling) { c.Target = 0 },
	} {
		c := right
		spoil(&c)
		require.Error(t, check(c))
	}
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
	for _, form := range []string{"%sT%s.03Z", "%sT%s+02:00", "%s %s.009930+00:00", "%s %sZ"} {
		file := fmt.Sprintf("TIMESTAMP\n"+form+",1\n"+form, "2024-05-10", "00:00:00", "2024-05-10", "00:00:15")
		tr, err := recorded("trace.csv", strings.NewReader(file), 1)
		require.NoError(t, err, form)
		require.Equal(t, 20*time.Second, tr.long, form)
	}
	for says, file := range map[string]string{"line 3": file[:50] + "\nno moment,1\n", "no line begins": "TIMESTAMP\n"} {
		_, err := recorded("trace.csv", strings.NewReader(file), 1)
		require.ErrorContains(t, err, says)
	}
}
