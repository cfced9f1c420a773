//go:build linux

package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spinup-llm/spinup/internal/bench"
	"github.com/spinup-llm/spinup/internal/bench/costmodel"
	"github.com/spinup-llm/spinup/internal/cli"
)

// predict shows what package costmodel expects, of models on H100s or of a recorded start:
//
//	coldstart predict [-download GB/s]
//	coldstart predict -log FILE -gb 141 -layers 80 -ranks 4 [-experts]
func predict(args []string, out io.Writer) error {
	costs, job, file := costmodel.H100, costmodel.Job{}, ""
	flags := flag.NewFlagSet("coldstart predict", flag.ContinueOnError)
	rate := flags.Float64("download", costs.Download/1e9, "GB a second")
	gb := flags.Float64("gb", 0, "GB of the weights of the recorded model")
	flags.StringVar(&file, "log", "", "vLLM's output, or that of a Ray driver, of a start to compare with")
	flags.IntVar(&job.Layers, "layers", 0, "of the recorded model")
	flags.IntVar(&job.Ranks, "ranks", 1, "of the recorded start")
	flags.BoolVar(&job.Experts, "experts", false, "the recorded model is a mixture of experts")
	if _, err := cli.Parse(flags, args, 0); err != nil {
		return err
	}
	costs.Download = *rate * 1e9
	if file == "" {
		outlook(costs, out)
		return nil
	}
	if job.Bytes = *gb * 1e9; job.Bytes <= 0 || job.Layers <= 0 {
		return cli.Usage(flags, "-log needs -gb and -layers")
	}
	log, err := os.ReadFile(file) //nolint:gosec // the user's choice
	if err != nil {
		return err
	}
	parts, err := costs.Compare(job, log)
	if err != nil {
		return err
	}
	table := bench.Table{Header: []string{"", "recorded s", "predicted s", "error"}}
	for _, p := range parts {
		table.Rows = append(table.Rows, []string{
			p.Name, fmt.Sprintf("%.0f", p.Recorded), fmt.Sprintf("%.0f", p.Predicted), fmt.Sprintf("%+.0f s", p.Predicted-p.Recorded),
		})
	}
	table.Text(out)
	return nil
}

// outlook shows all models and ways, and the critical paths of ours.
func outlook(costs costmodel.Costs, out io.Writer) {
	table := bench.Table{Header: []string{"seconds from nothing to an open port"}}
	var paths strings.Builder
	for _, j := range costmodel.Jobs {
		table.Header = append(table.Header, fmt.Sprintf("%s, %d × H100", j.Name, j.Ranks))
	}
	for _, w := range []costmodel.Way{
		costmodel.RayPlain, costmodel.RayTuned, costmodel.Plain, costmodel.Ours, costmodel.OursCached, costmodel.OursTuned, costmodel.OursForked,
	} {
		row := []string{w.Name}
		for _, j := range costmodel.Jobs {
			total, path := costs.Predict(j, w)
			row = append(row, fmt.Sprintf("%.0f", total))
			if w == costmodel.Ours {
				fmt.Fprintf(&paths, "\n%s, %s:", j.Name, w.Name)
				for _, s := range path {
					fmt.Fprintf(&paths, " %s %.1f", s.Name, s.Seconds)
				}
			}
		}
		table.Rows = append(table.Rows, row)
	}
	table.Text(out)
	fmt.Fprintln(out, paths.String())
	heldOut(out)
}

// heldOut shows how well each recording is predicted from all others.
func heldOut(out io.Writer) {
	table := bench.Table{Header: []string{"held out", "recorded s", "predicted s", "error"}}
	for i := range costmodel.Recordings {
		r := &costmodel.Recordings[i]
		got := costmodel.HeldOut(i)
		table.Rows = append(table.Rows, []string{
			r.Job.Name + ", " + r.Way.Name, fmt.Sprintf("%.0f", r.Seconds), fmt.Sprintf("%.0f", got), fmt.Sprintf("%+.0f %%", 100*(got/r.Seconds-1)),
		})
	}
	table.Text(out)
}
