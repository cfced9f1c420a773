//go:build linux

package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spinup-llm/spinup/internal/bench"
	"github.com/spinup-llm/spinup/internal/bench/download/peers"
)

type report struct{ bench.Report }

// skip names what is not measured.
func (r *report) skip(what string, err error) {
	r.Line("Not measured: %s: %s\n", what, strings.ReplaceAll(err.Error(), "\n", " "))
}

var header = []string{
	"downloader", "wall s", "min–max", "GB/s", "CPU s/GB", "RSS MB", "wire/size", "requests", "our wall", "our CPU", "result",
}

// trial reports one table.
func (r *report) trial(c trial, all []*contestant, target, load string) {
	r.Line("### %s, %s: %s\n\nTo %s; load average before: %s.\n", c.server, c.link, c.set.Text, target, load)
	table := bench.Table{Header: header}
	for _, k := range all {
		table.Rows = append(table.Rows, row(c, k, all[0]))
	}
	r.Table(table)
	if c.link == "shaped" {
		r.Line("The wire alone takes %.2f s.\n", wire(c.set.Size()).Seconds())
	}
	for _, k := range all {
		if k.fault != nil {
			r.Line("%s failed: %s\n", k.peer.Name, strings.ReplaceAll(k.fault.Error(), "\n", " "))
		}
	}
}

// wire is how long a link is busy with so many bytes, in packets of 1,514 bytes of which
// 1,448 are the bytes.
func wire(bytes int64) time.Duration {
	return time.Duration(float64(bytes) * 8 * 1514 / 1448 / linkBits * float64(time.Second))
}

// row shows the medians of a contestant, and the median of the ratios of ours to it.
func row(c trial, k, ours *contestant) []string {
	if k.fault != nil {
		return append([]string{k.peer.Name}, append(slices.Repeat([]string{"–"}, len(header)-2), "failed")...)
	}
	gb := float64(c.set.Size()) / 1e9
	wall := bench.Median(k.wall)
	requests := "–" // inside TLS nobody sees those to a server that logs none
	if k.counts.Requests > 0 {
		requests = strconv.FormatInt(k.counts.Requests, 10)
	}
	return []string{
		k.peer.Name, number(wall), number(slices.Min(k.wall)) + "–" + number(slices.Max(k.wall)), number(gb / wall),
		number(bench.Median(k.cpu) / gb), memory(k.rss),
		fmt.Sprintf("%.3f", float64(k.counts.Bytes)/float64(c.set.Size())), requests,
		ratio(ours.wall, k.wall), ratio(ours.cpu, k.cpu), "right",
	}
}

// memory says no more than is known.
func memory(rss int64) string {
	text := fmt.Sprintf("%.0f", float64(rss)/1e6)
	if rss <= bench.Floor() {
		return "≤ " + text
	}
	return text
}

func number(v float64) string { return fmt.Sprintf("%.2f", v) }

func ratio(ours, peer []float64) string {
	v := bench.Ratio(ours, peer)
	if v == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f ×", v)
}

// end names the versions.
func (r *report) end(found []*peers.Peer) {
	var versions []string
	for _, p := range found {
		if v := strings.TrimSpace(p.Name + " " + p.Version); !slices.Contains(versions, v) {
			versions = append(versions, v)
		}
	}
	r.Line("Versions: %s.", strings.Join(versions, ", "))
}
