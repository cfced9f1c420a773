//go:build linux

package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/spinup-llm/spinup/internal/bench"
)

// report writes the table and returns an error when a promise was broken.
func (l *lab) report(out io.Writer) error {
	table := bench.Table{Header: []string{
		"fault", "times", "requests", "answered", "retried", "failed", "ended by event", "cut",
		"p50 ms", "p99 ms", "p99 × none", "full after (median)", "(longest)", "left",
	}}
	for _, k := range l.ledger.kinds {
		table.Rows = append(table.Rows, k.row(l.ledger.kinds[0]))
	}
	fmt.Fprintln(out)
	table.Text(out)
	fmt.Fprintln(out)
	if l.disk == nil {
		fmt.Fprintf(out, "left out: disk: %v\n", l.nodisk)
	}
	broken := l.ledger.broken
	if len(broken) == 0 {
		fmt.Fprintln(out, "every promise was kept")
		return nil
	}
	for _, b := range broken {
		fmt.Fprintf(out, "broken %d times: %s\n", b.times, b.what)
	}
	return fmt.Errorf("promises were broken in %d ways, the first: %s", len(broken), broken[0].what)
}

func (k *kind) row(calm *kind) []string {
	row := []string{k.name}
	for _, n := range []int{k.times, k.requests, k.answered, k.retried, k.failed, k.ended, k.cut} {
		row = append(row, strconv.Itoa(n))
	}
	ratio := "-"
	if base := percentile(calm.unaffected, 99); base > 0 && k != calm && len(k.unaffected) > 0 {
		ratio = fmt.Sprintf("%.2f", float64(percentile(k.unaffected, 99))/float64(base))
	}
	return append(row, ms(percentile(k.unaffected, 50)), ms(percentile(k.unaffected, 99)), ratio,
		ms(percentile(k.recovery, 50)), ms(percentile(k.recovery, 100)), strconv.Itoa(len(k.left)))
}

// percentile returns the least value that p per cent of them do not exceed; 0 of none.
func percentile(values []time.Duration, p int) time.Duration {
	if len(values) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(values))
	return s[max(0, (len(s)*p+99)/100-1)]
}

func ms(d time.Duration) string {
	if d == 0 {
		return "-"
	}
	return strconv.FormatFloat(float64(d)/float64(time.Millisecond), 'f', 0, 64)
}
