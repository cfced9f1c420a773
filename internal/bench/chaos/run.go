//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spinup-llm/spinup/internal/bench"
)

// run is the program: the report goes to out, what happens to now.
func run(ctx context.Context, args []string, out, now io.Writer) error {
	o, err := parse(args, now)
	if err != nil {
		return err
	}
	l, err := newLab(ctx, o, now)
	if err != nil {
		return err
	}
	defer l.close()
	begun := time.Now()
	if err = l.start(ctx); err != nil {
		return err
	}
	fmt.Fprintf(out, "%s, %s: chaos -engine %s -replicas %d -standbys %d -faults %s -kills %d -rate %v -duration %v -seed %d\n\nfirst start: %v\n",
		time.Now().Format(time.DateOnly), bench.Machine(), o.engine, o.replicas, o.standbys, strings.Join(o.faults, ","), o.kills, o.rate, o.duration, o.seed, time.Since(begun).Round(time.Millisecond))
	warm, err := l.warmStart(ctx)
	if err != nil {
		return errors.Join(err, l.end())
	}
	fmt.Fprintf(out, "warm start: %v\n", warm.Round(time.Millisecond))
	if err := l.torment(ctx); err != nil {
		return err
	}
	return l.report(out)
}

// warmStart is how long one replica more takes, without load and with the files here. A standby,
// where there is to be one, has not imported yet.
func (l *lab) warmStart(ctx context.Context) (took time.Duration, err error) {
	begun := time.Now()
	for _, n := range []int{l.replicas + 1, l.replicas} {
		if err := l.dep.Scale(modelID, n); err != nil {
			return 0, err
		}
		if !l.wait(ctx, l.within, func() bool { return l.full(n) }) {
			return 0, fmt.Errorf("%d replicas are not there within %v: %s", n, l.within, l.describe())
		}
		if n > l.replicas {
			took = time.Since(begun)
		}
	}
	l.wait(ctx, l.within, l.standing)
	return took, ctx.Err()
}

// torment puts the deployment under load, has all faults happen, and stops it.
func (l *lab) torment(ctx context.Context) error {
	l.ledger.begin("none")
	sending, pause := context.WithCancel(ctx)
	defer pause()
	paused := make(chan struct{})
	go func() {
		defer close(paused)
		l.load.run(sending, l.rate)
	}()
	select {
	case <-ctx.Done():
	case <-time.After(l.duration):
	}
	err := l.breakAll(ctx)
	pause()
	<-paused
	if err != nil {
		l.load.running.Wait()
		_ = l.end() // the fault is what to tell
		return err
	}
	return l.stopUnderLoad(ctx)
}

// breakAll has the faults happen in an order of chance.
func (l *lab) breakAll(ctx context.Context) error {
	for _, name := range l.schedule() {
		l.linger(ctx, l.pause)
		l.wait(ctx, l.within, func() bool { return l.standing() && !l.routes.spare() })
		if err := l.cause(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

func (l *lab) schedule() (names []string) {
	for _, name := range l.faults {
		times := max(1, l.kills/5)
		switch {
		case name == "kill":
			times = l.kills
		case name == "disk" && l.disk == nil:
			times = 0
		}
		names = append(names, slices.Repeat([]string{name}, times)...)
	}
	l.rand.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	return names
}

// atStop is how many requests are in flight when the deployment is stopped, stopTokens how
// long their answers are.
const atStop, stopTokens = 8, 40

// stopUnderLoad stops while requests that have arrived are in flight: all of them have to
// be answered whole, and no process may be left.
func (l *lab) stopUnderLoad(ctx context.Context) error {
	l.load.running.Wait()
	l.ledger.begin("stop")
	before := l.received.count.Load()
	for range atStop {
		l.load.send(ctx, stopTokens)
	}
	if !l.wait(ctx, l.within, func() bool { return l.received.count.Load() >= before+atStop }) {
		l.ledger.violated("requests did not arrive")
	}
	since := time.Now()
	if err := l.end(); err != nil {
		l.ledger.violated("the deployment ended with: %v", err)
	}
	after := time.Since(since)
	l.load.running.Wait()
	l.ledger.recovered(after, l.children())
	if n := l.ledger.now.ended; n > 0 {
		l.ledger.violated("%d streams were ended by an event", n)
	}
	return ctx.Err()
}
