//go:build linux

package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spinup-llm/spinup/internal/bench"
	"github.com/spinup-llm/spinup/internal/bench/download/hubserver"
	"github.com/spinup-llm/spinup/internal/bench/download/proxy"
	"github.com/spinup-llm/spinup/internal/cli"
)

// The program is also its own servers, which are measured in processes of their own.
var servants = map[string]func(context.Context, []string, io.Reader, io.Writer) error{
	"hub":   hubserver.Main,
	"proxy": proxy.Main,
}

func main() { os.Exit(start()) }

func start() int {
	if len(os.Args) > 1 {
		if serve := servants[os.Args[1]]; serve != nil {
			ctx := context.Background() //nolint:forbidigo // a program begins here; signals end it at once
			if err := serve(ctx, os.Args[2:], os.Stdin, os.Stdout); err != nil {
				fmt.Fprintln(os.Stderr, os.Args[1]+":", err)
				return cli.Failed
			}
			return cli.Done
		}
	}
	debug.SetGCPercent(20) // what is in memory here hides what small programs need
	return cli.Main(false, run)
}

// options are the flags.
type options struct {
	n              int
	scale          float64
	servers, links []string
	sets, peers    []string
	data, target   string
	ours, bin      string
	markdown       string
	limit          time.Duration
}

func parse(args []string) (*options, error) {
	o := new(options)
	flags := flag.NewFlagSet("download", flag.ContinueOnError)
	flags.IntVar(&o.n, "n", 5, "timed runs of each program")
	flags.Float64Var(&o.scale, "scale", 1, "multiplies the sizes of the sets")
	bench.Words(flags, &o.servers, "servers", "nginx,versitygw,minio,nginx-tls,versitygw-tls,minio-tls,gcs,gcs-tls,hub", "what to download from")
	bench.Words(flags, &o.links, "links", "loopback,shaped", "what lies between")
	bench.Words(flags, &o.sets, "sets", "model,small,one", "what to download")
	bench.Words(flags, &o.peers, "peers", "", "programs, by a part of the name; ours always; empty means all")
	flags.StringVar(&o.data, "data", "", "folder for the sets, kept; empty means a temporary one")
	flags.StringVar(&o.target, "target", "", "folder to download to; empty means /dev/shm, else a temporary one")
	flags.StringVar(&o.ours, "ours", "", "our program; empty means to build examples/download")
	flags.StringVar(&o.bin, "bin", "", "folder of the programs; empty means what internal/setup/peers.sh says")
	flags.StringVar(&o.markdown, "markdown", "", "also write the tables to this file")
	flags.DurationVar(&o.limit, "limit", 5*time.Minute, "on one run")
	if _, err := cli.Parse(flags, args, 0); err != nil {
		return nil, err
	}
	if o.n < 1 || o.scale <= 0 {
		return nil, cli.Usage(flags, "-n and -scale have to be positive")
	}
	return o, nil
}

func run(ctx context.Context, args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	r := &report{bench.Report{Out: os.Stdout, Now: os.Stderr}}
	r.Intro(strings.Join(append([]string{"go run ./internal/bench/download"}, args...), " "))
	lab, err := newLab(ctx, o, r)
	if err != nil {
		return err
	}
	defer lab.close(context.WithoutCancel(ctx))
	for _, c := range lab.cases() {
		if err := lab.measure(ctx, c); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			r.skip(c.String(), err)
		}
	}
	r.end(lab.found)
	return r.Save(o.markdown)
}
