// Autoscale simulates replica.Scaling, with Ray's parameters, under traffic of several shapes
// and prints how it did:
//
//	go run ./internal/bench/autoscale [-target 8] [-max 4000] [-start 60s] [-upscale-delay 30s] … [RECORDED.csv …]
//
// After the traffics that it makes up come those that were recorded: files whose lines begin with
// the moment of a request, as "2023-11-16 18:15:46.68", also with a zone or in RFC 3339, and a comma.
// With -times 1000 each request counts as a thousand.
//
// For each traffic it prints how long requests had to wait, how long the number of replicas
// took to do for a rise (reaction), how far it went beyond what was needed (overshoot), and
// what it cost in replica-seconds, next to the least that would have done. The same seed
// gives the same numbers.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spinup-llm/spinup/replica"
)

func main() {
	var c replica.Scaling
	flag.IntVar(&c.Min, "min", 1, "replicas at least")
	flag.IntVar(&c.Max, "max", 4000, "replicas at most")
	flag.Float64Var(&c.Target, "target", 8, "ongoing requests per replica")
	flag.DurationVar(&c.Interval, "interval", 10*time.Second, "between two decisions")
	flag.DurationVar(&c.LookBack, "look-back", 30*time.Second, "over which requests are counted")
	flag.DurationVar(&c.UpscaleDelay, "upscale-delay", 30*time.Second, "how long more must be needed")
	flag.DurationVar(&c.DownscaleDelay, "downscale-delay", 10*time.Minute, "how long fewer must do")
	flag.Float64Var(&c.UpFactor, "up-factor", 1, "of the way up, per decision")
	flag.Float64Var(&c.DownFactor, "down-factor", 1, "of the way down, per decision")
	start := flag.Duration("start", time.Minute, "how long a replica takes to be ready")
	seed := flag.Uint64("seed", 1, "of the traffic")
	times := flag.Float64("times", 1, "as which a recorded request counts")
	flag.Parse()
	if err := check(c); err != nil {
		fmt.Fprintln(os.Stderr, err)
		flag.Usage()
		os.Exit(2)
	}
	all, err := open(flag.Args(), *times)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Fprintf(os.Stdout, "%-12.12s %9s %8s %8s %9s %10s %10s %12s %6s %6s\n",
		"traffic", "requests", "peak", "needed", "overshoot", "reaction", "wait mean", "wait longest", "rep-s", "/least")
	for _, t := range append(traffics(), all...) {
		r := simulate(c, t, *start, *seed)
		fmt.Fprintf(os.Stdout, "%-12.12s %9d %8d %8d %8.0f%% %10v %10v %12v %6.1fM %6.2f\n",
			t.name, r.requests, r.peak, r.needed, 100*r.overshoot(), r.reaction, r.meanWait(), r.longest, r.cost/1e6, r.cost/r.least)
	}
}

// check refuses what there is no simulation of: 0 is no default here.
func check(c replica.Scaling) error {
	if c.Interval <= 0 || c.LookBack <= 0 || c.Target <= 0 {
		return errors.New("-interval, -look-back and -target have to be positive")
	}
	return nil
}

// open reads files of recorded traffic.
func open(names []string, times float64) (all []traffic, err error) {
	for _, name := range names {
		f, err := os.Open(name) //nolint:gosec // named by who runs this
		if err != nil {
			return nil, err
		}
		t, err := recorded(filepath.Base(name), f, times)
		_ = f.Close() // it was only read
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, nil
}
