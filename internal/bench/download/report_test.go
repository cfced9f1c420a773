//go:build linux

package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spinup-llm/spinup/internal/bench"
	"github.com/spinup-llm/spinup/internal/bench/download/dataset"
	"github.com/spinup-llm/spinup/internal/bench/download/peers"
	"github.com/spinup-llm/spinup/internal/bench/download/proxy"
	"github.com/stretchr/testify/require"
)

func TestReportTellsRatiosAndFailures(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	r := &report{bench.Report{Out: &out, Now: io.Discard}}
	set := dataset.One(1.0 / 4096) // 1 MiB
	ours := &contestant{
		peer: &peers.Peer{Name: peers.Ours}, wall: []float64{1, 2, 3}, cpu: []float64{1, 1, 1}, rss: 1 << 40,
		counts: proxy.Counts{Requests: 7, Bytes: set.Size()},
	}
	twice := &contestant{peer: &peers.Peer{Name: "slow"}, wall: []float64{2, 4, 6}, cpu: []float64{4, 4, 4}, rss: 1}
	failed := &contestant{
		peer: &peers.Peer{Name: "broken", Version: "1.0"}, wall: []float64{9, 9, 0}, cpu: []float64{9, 9, 0},
		fault: errors.New("exit status 1:\nno"),
	}
	r.trial(trial{"nginx", "loopback", set}, []*contestant{ours, twice, failed}, "memory", "0.1")
	r.skip("Ray", errors.New("not found"))
	r.end([]*peers.Peer{failed.peer})

	file := filepath.Join(t.TempDir(), "report.md")
	require.NoError(t, r.Save(file))
	markdown, err := os.ReadFile(file)
	require.NoError(t, err)
	lines := strings.Split(string(markdown), "\n")
	line := func(prefix string) string {
		i := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, prefix) })
		require.GreaterOrEqual(t, i, 0, prefix)
		return lines[i]
	}
	require.Equal(t, len(header), strings.Count(line("| spinup"), "|")-1, "as many cells as the header")
	require.Equal(t, len(header), strings.Count(line("| broken"), "|")-1)
	require.Contains(t, line("| spinup"), "| 2.00 | 1.00–3.00 |")
	require.Contains(t, line("| spinup"), "| 1.000 | 7 | 1.00 × | 1.00 × | right |")
	require.Contains(t, line("| slow"), "| ≤ 0 |")
	require.Contains(t, line("| slow"), "| 0.50 × | 0.25 × |")
	require.NotContains(t, line("| broken"), "9", "a failed program has no figures")
	require.Equal(t, "broken failed: exit status 1: no", line("broken failed"))
	require.Equal(t, "Not measured: Ray: not found", line("Not measured"))
	require.Contains(t, out.String(), "Versions: broken 1.0.")
}

func TestWire(t *testing.T) {
	t.Parallel()
	require.InDelta(t, 7.22, wire(dataset.Model(1).Size()).Seconds(), 0.01) // 2.157 GB
}

func TestCasesAreWhatWasAskedFor(t *testing.T) {
	t.Parallel()
	o, err := parse([]string{"-servers", "minio-tls,hub", "-sets", "one", "-n", "1"})
	require.NoError(t, err)
	var names []string
	for _, c := range (&lab{options: o}).cases() {
		names = append(names, c.String())
	}
	require.Equal(t, []string{"minio-tls, loopback, one", "minio-tls, shaped, one", "hub, loopback, one", "hub, shaped, one"}, names)
}

func TestWrongFlags(t *testing.T) {
	t.Parallel()
	_, err := parse([]string{"-n", "0"})
	require.Error(t, err)
}
