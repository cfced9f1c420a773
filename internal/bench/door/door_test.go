//go:build linux

package main

import (
	"bytes"
	"context"
	"os"
	"testing"
	"time"

	"github.com/spinup-llm/spinup/internal/cli"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) {
	switch {
	case len(os.Args) == 3 && os.Args[1] == engineArg:
		runEngine(os.Args[2])
	case len(os.Args) == 3 && os.Args[1] == doorArg:
		os.Exit(cli.Main(true, func(ctx context.Context, args []string) error { return runDoor(ctx, args[1]) }))
	}
	os.Exit(m.Run())
}

// TestEveryPartRuns measures next to nothing; what it prints is no measurement.
func TestEveryPartRuns(t *testing.T) {
	t.Chdir("../../..")
	var out bytes.Buffer
	s := settings{rate: 50, period: 100 * time.Millisecond, rounds: 2, tokens: 100, idle: 20, active: 5}
	require.NoError(t, run(t.Context(), s, &out))
	for _, part := range []string{"50 requests/s", "added", "ratio", "same byte for byte", "under way", "20 idle", "and 5 with a stream"} {
		require.Contains(t, out.String(), part)
	}
}

func TestQuantilesAreComparedByRound(t *testing.T) {
	t.Parallel()
	table := compare("x", []destination{{name: "a"}, {name: "b"}}, [][][]float64{
		{{1, 1, 1}, {100, 100, 100}, {2, 2, 2}}, {{3, 3, 3}, {300, 300, 300}, {6, 6, 6}},
	})
	require.Equal(t, [][]string{
		{"a", "2", "2", "2"}, {"b", "6", "6", "6"}, {"added", "4", "4", "4"}, {"ratio", "3.00", "3.00", "3.00"},
	}, table.Rows)
}
