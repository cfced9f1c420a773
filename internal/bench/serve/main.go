//go:build linux

// Serve compares an engine alone, our door before it, and other doors, with vLLM's own load
// program, `vllm bench serve`, as the client:
//
//	export SPINUP_VLLM=$(internal/setup/vllm.sh)
//	go run ./internal/bench/serve [-engine vllm] [-model DIR] [-accelerator none] [-rounds 3] [-prompts 200]
//	go run ./internal/bench/serve -also ray=http://127.0.0.1:8000/v1 # a Ray Serve LLM that serves the same model
//
// It sends the same prompts to each in turns, so that what else the machine does meets all,
// and prints the medians of the rounds, and the throughput compared with the engine alone in
// the same round.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spinup-llm/spinup/engine/reference"
	"github.com/spinup-llm/spinup/internal/bench"
	"github.com/spinup-llm/spinup/internal/cli"
)

func main() {
	reference.Main() // becomes the engine when the program is started as one
	os.Exit(cli.Main(false, func(ctx context.Context, args []string) error { return run(ctx, args, os.Stdout) }))
}

// A destination is where the client sends its requests.
type destination struct{ name, url string }

// settings are the flags.
type settings struct {
	engine, model, accelerator string
	rounds                     int
	load                       load
	also                       []destination
}

// load is what each turn sends.
type load struct{ prompts, concurrency, input, output int }

func parse(args []string) (*settings, error) {
	s := new(settings)
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	flags.StringVar(&s.engine, "engine", "vllm", "vllm or reference")
	flags.StringVar(&s.model, "model", "", "folder of the model; else one with random weights")
	flags.StringVar(&s.accelerator, "accelerator", "", `"none" runs on the CPU`)
	flags.IntVar(&s.rounds, "rounds", 3, "turns of each")
	flags.IntVar(&s.load.prompts, "prompts", 200, "requests of a turn")
	flags.IntVar(&s.load.concurrency, "concurrency", 16, "requests at once")
	flags.IntVar(&s.load.input, "input", 64, "tokens of a prompt")
	flags.IntVar(&s.load.output, "output", 32, "tokens of an answer")
	flags.Func("also", "NAME=URL of another door, with its /v1, for the model m; may be repeated", func(v string) error {
		name, url, ok := strings.Cut(v, "=")
		if !ok {
			return fmt.Errorf("%q is not NAME=URL", v)
		}
		s.also = append(s.also, destination{name, strings.TrimSuffix(url, "/v1")})
		return nil
	})
	if _, err := cli.Parse(flags, args, 0); err != nil {
		return nil, err
	}
	if min(s.rounds, s.load.prompts, s.load.concurrency, s.load.input, s.load.output) <= 0 {
		return nil, cli.Usage(flags, "all numbers have to be positive")
	}
	if strings.EqualFold(s.engine, "vllm") {
		s.engine = "vLLM"
	}
	return s, nil
}

func run(ctx context.Context, args []string, out io.Writer) error {
	s, err := parse(args)
	if err != nil {
		return err
	}
	c, err := newClient(s.load)
	if err != nil {
		return err
	}
	defer c.close()
	d, err := start(ctx, s)
	if err != nil {
		return err
	}
	defer d.stop()
	fmt.Fprintf(out, "%s\nserve -engine %s -prompts %d -concurrency %d -input %d -output %d\n\n",
		bench.Machine(), s.engine, s.load.prompts, s.load.concurrency, s.load.input, s.load.output)
	to := append([]destination{{"engine alone", d.engine}, {"through the door", d.door}}, s.also...)
	results := make([][]result, len(to))
	for round := range s.rounds {
		for _, i := range bench.Order(len(to), round) {
			r, err := c.run(ctx, to[i].url, d.model)
			if err != nil {
				return fmt.Errorf("%s: %w", to[i].name, err)
			}
			fmt.Fprintf(out, "round %d, %s: %.2f requests/s\n", round+1, to[i].name, r.Requests)
			results[i] = append(results[i], r)
		}
	}
	fmt.Fprintln(out)
	report(to, results).Text(out)
	return nil
}
