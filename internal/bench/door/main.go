//go:build linux

// Door measures what the door costs: an engine that does nothing, our door, and a client, each
// a process of its own, over loopback. Run it from the top of the checkout:
//
//	go run ./internal/bench/door [-rate 500] [-for 2s] [-rounds 10] [-tokens 10000] [-idle 10000] [-active 1000] [-profile FILE]
//
// It sends the same to the engine alone and through the door, in turns, so that what else the
// machine does meets both, and prints latencies at a fixed rate, the time per token of long
// streams, which have to be the same byte for byte, when tokens arrive that are written one by
// one, the door's own CPU time, and its memory with many connections.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spinup-llm/spinup/internal/bench"
	"github.com/spinup-llm/spinup/internal/cli"
)

type settings struct {
	rate   int
	period time.Duration // of one turn
	rounds int
	tokens int
	idle   int
	active int

	profile string
}

func main() {
	switch { // this program plays all parts
	case len(os.Args) == 3 && os.Args[1] == engineArg:
		runEngine(os.Args[2])
	case len(os.Args) == 3 && os.Args[1] == doorArg:
		os.Exit(cli.Main(true, func(ctx context.Context, args []string) error { return runDoor(ctx, args[1]) }))
	}
	os.Exit(cli.Main(false, func(ctx context.Context, args []string) error {
		s, err := parse(args)
		if err != nil {
			return err
		}
		return run(ctx, s, os.Stdout)
	}))
}

func parse(args []string) (s settings, err error) {
	flags := flag.NewFlagSet("door", flag.ContinueOnError)
	flags.IntVar(&s.rate, "rate", 500, "requests per second")
	flags.DurationVar(&s.period, "for", 2*time.Second, "of requests at that rate, in each turn")
	flags.IntVar(&s.rounds, "rounds", 10, "turns of the engine alone and of the door")
	flags.IntVar(&s.tokens, "tokens", 10000, "of a long stream")
	flags.IntVar(&s.idle, "idle", 10000, "connections that do nothing")
	flags.IntVar(&s.active, "active", 1000, "connections with a stream")
	flags.StringVar(&s.profile, "profile", "", "file for a CPU profile of the door")
	if _, err = cli.Parse(flags, args, 0); err != nil {
		return s, err
	}
	if s.rate <= 0 || s.rounds <= 0 || s.tokens <= 0 || s.idle < 0 || s.active < 0 {
		return s, cli.Usage(flags, "-rate, -rounds and -tokens have to be positive, -idle and -active not negative")
	}
	return s, nil
}

func run(ctx context.Context, s settings, out io.Writer) error {
	door, err := startDoor(ctx, s.profile)
	if err != nil {
		return err
	}
	defer door.stop()
	fmt.Fprintln(out, bench.Machine())
	for _, measure := range []func(context.Context, settings, *process, io.Writer) error{latency, streams, paced, connections} {
		fmt.Fprintln(out)
		if err := measure(ctx, s, door, out); err != nil {
			return err
		}
	}
	return nil
}
