//go:build linux

package main

import (
	"fmt"
	"slices"

	"github.com/spinup-llm/spinup/internal/bench"
	"github.com/spinup-llm/spinup/internal/bench/download/dataset"
)

type report struct{ bench.Report }

var header = []string{"start to first token", "wall s", "min–max", "CPU s", "PSS MB", "S3 MB", "our wall", "our CPU", "our PSS", "rest wall", "rest CPU", "standby wall", "standby CPU"}

// trial reports a model with what a start finds.
func (r *report) trial(set *dataset.Set, cache string, all []*contestant) {
	ours := all[0].results[cache]
	var standby []result
	for _, k := range all {
		if k.standby {
			standby = k.results[cache]
		}
	}
	r.Line("### %s model (%.0f MB), %s, n = %d\n", set.Name, float64(set.Size())/1e6, cache, len(ours))
	table := bench.Table{Header: header}
	for _, k := range all {
		table.Rows = append(table.Rows, row(k, cache, ours, standby))
	}
	table.Rows = slices.Insert(table.Rows, 1, restRow(ours))
	r.Table(table)
	for i, s := range ours {
		r.Line("- start %d: %.2f s, of which %.2f s before the first event and after ready; unattributed %.1f %%; critical path: %s",
			i+1, s.wall, s.wall-s.timeline, s.unattributed, s.path)
	}
	r.Line("")
}

func wallOf(s result) float64   { return s.wall }
func cpuOf(s result) float64    { return s.cpu }
func memoryOf(s result) float64 { return float64(s.memory) / 1e6 }
func bytesOf(s result) float64  { return float64(s.bytes) / 1e6 }
func restWall(s result) float64 { return s.left.wall }
func restCPU(s result) float64  { return s.left.cpu }

func each(results []result, f func(result) float64) (values []float64) {
	for _, s := range results {
		values = append(values, f(s))
	}
	return values
}

// row shows the medians of a contestant, and the medians of the ratios of ours to it: of all,
// of the rest of ours, and of ours from a standby.
func row(k *contestant, cache string, ours, standby []result) []string {
	own := k.results[cache]
	ratio := func(ours []result, f, g func(result) float64) string {
		if v := bench.Ratio(each(ours, f), each(own, g)); v != 0 && !k.ours && !k.standby {
			return fmt.Sprintf("%.3f ×", v)
		}
		return ""
	}
	return append(figures(k.name, own, wallOf, cpuOf),
		fmt.Sprintf("%.0f", bench.Median(each(own, memoryOf))), fmt.Sprintf("%.0f", bench.Median(each(own, bytesOf))),
		ratio(ours, wallOf, wallOf), ratio(ours, cpuOf, cpuOf), ratio(ours, memoryOf, memoryOf),
		ratio(ours, restWall, wallOf), ratio(ours, restCPU, cpuOf), ratio(standby, wallOf, wallOf), ratio(standby, cpuOf, cpuOf))
}

// restRow is ours from the moment when the files are there and imports are over.
func restRow(ours []result) []string {
	cells := figures("the rest: files there, imports over", ours, restWall, restCPU)
	return append(cells, make([]string, len(header)-len(cells))...)
}

func figures(name string, results []result, wall, cpu func(result) float64) []string {
	walls := each(results, wall)
	return []string{
		name, number(bench.Median(walls)), number(slices.Min(walls)) + "–" + number(slices.Max(walls)), number(bench.Median(each(results, cpu))),
	}
}

func number(v float64) string { return fmt.Sprintf("%.2f", v) }
