//go:build linux

package main

import (
	"fmt"

	"github.com/spinup-llm/spinup/internal/bench"
)

// columns are what the table says of a destination.
var columns = []struct {
	name  string
	value func(result) float64
}{
	{"requests/s", func(r result) float64 { return r.Requests }},
	{"tokens/s", func(r result) float64 { return r.Tokens }},
	{"TTFT p50 ms", func(r result) float64 { return r.MedianTTFT }},
	{"TTFT p99 ms", func(r result) float64 { return r.P99TTFT }},
	{"ITL p50 ms", func(r result) float64 { return r.MedianITL }},
	{"ITL p99 ms", func(r result) float64 { return r.P99ITL }},
}

// report has the medians of the rounds. The first destination is what the others are compared
// with, in the same round.
func report(to []destination, results [][]result) bench.Table {
	table := bench.Table{Header: []string{fmt.Sprintf("%d rounds", len(results[0]))}}
	for _, c := range columns {
		table.Header = append(table.Header, c.name)
	}
	table.Header = append(table.Header, "tokens/s × "+to[0].name)
	alone := values(results[0], columns[1].value)
	for i, d := range to {
		row := []string{d.name}
		for _, c := range columns {
			row = append(row, fmt.Sprintf("%.2f", bench.Median(values(results[i], c.value))))
		}
		row = append(row, fmt.Sprintf("%.3f", bench.Ratio(values(results[i], columns[1].value), alone)))
		table.Rows = append(table.Rows, row)
	}
	return table
}

func values(results []result, of func(result) float64) (all []float64) {
	for _, r := range results {
		all = append(all, of(r))
	}
	return all
}
