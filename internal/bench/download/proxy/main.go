//go:build linux

package proxy

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"net"
	"strings"

	"golang.org/x/sync/errgroup"
)

// Main is a program of its own:
//
//	proxy [-delay 25ms] [-rate BYTES] LISTEN=UPSTREAM …
//
// It answers each line of in with its Counts as a line of JSON, and ends with in.
func Main(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	flags := flag.NewFlagSet("proxy", flag.ContinueOnError)
	p := new(Proxy)
	flags.DurationVar(&p.Delay, "delay", 0, "of new connections and of what clients say")
	flags.IntVar(&p.Rate, "rate", 0, "bytes per second of each connection; 0 means no limit")
	if err := flags.Parse(args); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	for _, pair := range flags.Args() {
		addr, upstream, ok := strings.Cut(pair, "=")
		if !ok {
			return errors.New("not LISTEN=UPSTREAM: " + pair)
		}
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
		if err != nil {
			return err
		}
		group.Go(func() error { return p.Serve(ctx, l, upstream) })
	}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		if err := json.NewEncoder(out).Encode(p.Counts()); err != nil {
			break
		}
	}
	cancel()
	return group.Wait()
}
