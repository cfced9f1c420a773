//go:build linux

// Coldstart measures the way from an empty process table to the first token of a chat
// completion. Run it from the top of the checkout:
//
//	go run ./internal/bench/coldstart [-models tiny,small] [-caches cold,warm] [-peers plain,ray] [-n 5] [-markdown FILE]
//
// Ours is examples/serve, as a user builds it, with a Ray Serve LLM file. It is measured in
// turns with plain, which is `vllm serve` after the same download by examples/download, and
// with ray, which is `ray start` and `serve run` with the same file. Of ours are also standby,
// from the kill of its engine to the answer of what was a standby, and streamed, with
// runai_streamer from the bucket and through the host. All read the model from one S3 server (versitygw) and run it eagerly on the CPU. Each program runs with a home of its own: cold
// means that it is empty, so the model's files and vLLM's descriptions of architectures
// (modelinfos) are to be made, warm that the cold start has just left it. What the system
// has cached of installed programs and of the server's files stays in memory.
//
// CPU time is that of all processes, of those that have ended, too; memory is the largest
// sum of PSS among looks twice a second; bytes are what the S3 server sent. For ours also
// what is left of wall and CPU time when imports are over and the files are there, and, for
// each start, its critical path and the time that no stage claims.
//
// With GPUs there is no measurement, but a model of one, see package costmodel:
//
//	go run ./internal/bench/coldstart predict [-download GB/s] [-log FILE -gb N -layers N -ranks N [-experts]]
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spinup-llm/spinup/internal/bench"
	"github.com/spinup-llm/spinup/internal/cli"
)

func main() {
	if len(os.Args) > 2 && os.Args[1] == cageArg {
		if err := cage(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(cli.Failed)
		}
		os.Exit(cli.Done)
	}
	os.Exit(cli.Main(false, func(ctx context.Context, args []string) error {
		if len(args) > 0 && args[0] == "predict" {
			return predict(args[1:], os.Stdout)
		}
		return run(ctx, args)
	}))
}

// options are the flags.
type options struct {
	n             int
	models        []string
	caches, peers []string
	addr          string
	markdown      string
	limit         time.Duration
}

func parse(args []string) (*options, error) {
	o := new(options)
	flags := flag.NewFlagSet("coldstart", flag.ContinueOnError)
	flags.IntVar(&o.n, "n", 5, "rounds")
	bench.Words(flags, &o.models, "models", "tiny,small", "tiny (3 MB), small (300 MB)")
	bench.Words(flags, &o.caches, "caches", "cold,warm", "what a start finds")
	bench.Words(flags, &o.peers, "peers", "plain", "plain (vllm serve), ray (Ray Serve LLM), and of ours standby and streamed; ours always")
	flags.StringVar(&o.addr, "addr", "127.0.0.1:18999", "where each of them serves")
	flags.StringVar(&o.markdown, "markdown", "", "also write the report to this file")
	flags.DurationVar(&o.limit, "limit", 10*time.Minute, "on one start")
	if _, err := cli.Parse(flags, args, 0); err != nil {
		return nil, err
	}
	for given, known := range map[*[]string][]string{
		&o.models: {"tiny", "small"}, &o.caches: {"cold", "warm"}, &o.peers: {"plain", "ray", "standby", "streamed"},
	} {
		for _, word := range *given {
			if !slices.Contains(known, word) {
				return nil, cli.Usage(flags, fmt.Sprintf("%q is none of %s", word, strings.Join(known, ", ")))
			}
		}
	}
	if o.n < 1 {
		return nil, cli.Usage(flags, "-n has to be positive")
	}
	return o, nil
}

func run(ctx context.Context, args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	r := &report{bench.Report{Out: os.Stdout, Now: os.Stderr}}
	r.Intro(strings.Join(append([]string{"go run ./internal/bench/coldstart"}, args...), " "))
	l, err := newLab(ctx, o, r)
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(l.work) }()
	for _, name := range o.models {
		if err := l.measure(ctx, name); err != nil {
			return err
		}
	}
	return r.Save(o.markdown)
}
