//go:build linux

package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spinup-llm/spinup/engine/reference"
	"github.com/spinup-llm/spinup/internal/cli"
)

func main() {
	reference.Main() // becomes the engine when the program is started as one
	os.Exit(cli.Main(false, func(ctx context.Context, args []string) error { return run(ctx, args, os.Stdout, os.Stderr) }))
}

// vLLM is its name in a configuration.
const vLLM = "vLLM"

// options are the flags.
type options struct {
	engine, model, accelerator string
	replicas, standbys, kills  int
	rate                       float64
	duration, pause            time.Duration
	within, stall              time.Duration
	seed                       uint64
	faults                     []string
	verbose                    bool
}

func parse(args []string, usage io.Writer) (*options, error) {
	o := new(options)
	flags := flag.NewFlagSet("chaos", flag.ContinueOnError)
	flags.SetOutput(usage)
	flags.StringVar(&o.engine, "engine", "reference", "reference or vllm")
	flags.StringVar(&o.model, "model", "", "folder of the model; else the quickstart's, or a small one with random weights for vllm")
	flags.StringVar(&o.accelerator, "accelerator", "", `"none" runs on the CPU`)
	flags.IntVar(&o.replicas, "replicas", 2, "replicas, at least 2")
	flags.IntVar(&o.standbys, "standbys", 0, "processes that wait to become a replica (Options.Standbys); a fault waits until they are there")
	flags.IntVar(&o.kills, "kills", 20, "how many engines are killed; each other fault comes a fifth as often, at least once")
	flags.Float64Var(&o.rate, "rate", 0, "requests per second, 10 or for vllm 2; beyond what the engines can do, all wait longer and longer")
	flags.DurationVar(&o.duration, "duration", 20*time.Second, "of the time without faults at the beginning")
	flags.DurationVar(&o.pause, "pause", 2*time.Second, "the longest between full strength and the next fault, and for which the link is cut")
	flags.DurationVar(&o.within, "within", 0, "after a fault, full strength has to be there; 1m or for vllm 5m")
	flags.DurationVar(&o.stall, "stall", 0, "without a byte is a stall (Limits.Stall), 2s or for vllm 10s")
	flags.Uint64Var(&o.seed, "seed", 1, "of the order and the moments of the faults")
	chosen := flags.String("faults", strings.Join(kinds, ","), "the kinds of faults")
	flags.BoolVar(&o.verbose, "verbose", false, "tell what the deployment logs")
	if _, err := cli.Parse(flags, args, 0); err != nil {
		return nil, err
	}
	for name := range strings.SplitSeq(*chosen, ",") {
		if !slices.Contains(kinds, name) {
			return nil, cli.Usage(flags, fmt.Sprintf("-faults: there is no %q", name))
		}
		o.faults = append(o.faults, name)
	}
	o.defaults()
	if o.replicas < 2 || o.standbys < 0 || o.kills < 0 || o.rate <= 0 || o.pause <= 0 || o.within <= 0 {
		return nil, cli.Usage(flags, "-replicas is at least 2, -standbys and -kills not negative, -rate, -pause and -within positive")
	}
	return o, nil
}

// defaults are what an engine of its kind needs: vLLM starts in half a minute, not in no time.
func (o *options) defaults() {
	if strings.EqualFold(o.engine, vLLM) {
		o.engine = vLLM
		o.rate, o.within, o.stall = cmp.Or(o.rate, 2), cmp.Or(o.within, 5*time.Minute), cmp.Or(o.stall, 10*time.Second)
		return
	}
	o.model = cmp.Or(o.model, "examples/quickstart/model")
	o.rate, o.within, o.stall = cmp.Or(o.rate, 10), cmp.Or(o.within, time.Minute), cmp.Or(o.stall, 2*time.Second)
}
