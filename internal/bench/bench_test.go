//go:build linux

package bench_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/spinup-llm/spinup/internal/bench"
	"github.com/stretchr/testify/require"
)

func ExampleRatio() {
	ours, peer := []float64{1, 4, 1}, []float64{2, 8, 1} // the machine was busy in the second round
	fmt.Println(bench.Ratio(ours, peer))
	// Output: 0.5
}

func ExampleTable_Markdown() {
	bench.Table{Header: []string{"program", "s"}, Rows: [][]string{{"curl", "1.5"}}}.Markdown(os.Stdout)
	// Output:
	// | program | s |
	// |---|---:|
	// | curl | 1.5 |
}

func TestMedian(t *testing.T) {
	t.Parallel()
	for want, values := range map[float64][]float64{0: nil, 3: {3}, 2: {9, 1, 2}, 2.5: {1, 4, 2, 3}} {
		before := slices.Clone(values)
		require.InDelta(t, want, bench.Median(values), 1e-9)
		require.Equal(t, before, values, "the order of the rounds is kept")
	}
}

func TestRatioLeavesOutWhatFailed(t *testing.T) {
	t.Parallel()
	require.InDelta(t, 0.5, bench.Ratio([]float64{1, 0, 5}, []float64{2, 1, 0}), 1e-9)
	require.Zero(t, bench.Ratio([]float64{0}, []float64{1}))
}

func TestOrderIsFair(t *testing.T) {
	t.Parallel()
	for n := 1; n < 8; n++ {
		first := make([]int, n)
		for round := range 2 * n {
			order := bench.Order(n, round)
			first[order[0]]++
			slices.Sort(order)
			for i, v := range order {
				require.Equal(t, i, v, "everybody takes part once")
			}
		}
		for _, times := range first {
			require.Equal(t, 2, times, "each is first as often as the others")
		}
	}
}

func TestTextAlignsRunes(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	bench.Table{Header: []string{"a", "×"}, Rows: [][]string{{"é", "10"}}}.Text(&b)
	require.Equal(t, "a   ×\né  10\n", b.String())
}

func TestRunCountsChildren(t *testing.T) {
	t.Parallel()
	// The loop runs in a child of the shell.
	usage, err := bench.Run(t.Context(), []string{"sh", "-c", "(i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done); true"}, nil)
	require.NoError(t, err)
	require.Positive(t, usage.CPU)
	require.Positive(t, usage.RSS)
	require.GreaterOrEqual(t, usage.Wall, time.Millisecond)
}

func TestRunTellsWhatTheProgramSaid(t *testing.T) {
	t.Parallel()
	_, err := bench.Run(t.Context(), []string{"sh", "-c", "echo no luck >&2; exit 3"}, nil)
	require.ErrorContains(t, err, "no luck")
	require.ErrorContains(t, err, "exit status 3")
}

func TestRunEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := bench.Run(ctx, []string{"sh", "-c", "sleep 60 & wait"}, nil)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestMachineNamesTheCores(t *testing.T) {
	t.Parallel()
	require.Contains(t, bench.Machine(), "cores")
}
