//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spinup-llm/spinup/internal/bench"
	"github.com/spinup-llm/spinup/internal/bench/download/dataset"
	"github.com/spinup-llm/spinup/internal/bench/download/peers"
	"github.com/spinup-llm/spinup/internal/bench/download/proxy"
	"github.com/spinup-llm/spinup/internal/bench/download/servers"
)

// The shaped link: a fast one to a store that answers from afar and limits each connection.
const (
	linkBits  = 2.5e9 // per second
	linkDelay = 25 * time.Millisecond
	connRate  = 50e6
)

// A trial is one table: a server, a link, a set.
type trial struct {
	server, link string
	set          *dataset.Set
}

func (c trial) String() string { return c.server + ", " + c.link + ", " + c.set.Name }

// cases are all combinations that were asked for.
func (l *lab) cases() []trial {
	var all []trial
	for _, name := range l.sets {
		for _, server := range l.servers {
			for _, link := range l.links {
				for _, set := range dataset.Sets(l.scale) {
					if set.Name == name {
						all = append(all, trial{server, link, set})
					}
				}
			}
		}
	}
	return all
}

// A contestant is a peer with its figures.
type contestant struct {
	peer   *peers.Peer
	wall   []float64 // seconds, one per round; 0 where it failed
	cpu    []float64
	rss    int64 // the largest, bytes
	counts proxy.Counts
	fault  error // the last
}

// A track is the servers of one trial, and the way to them.
type track struct {
	plain   *servers.Server // nil where all goes over the link
	counted *servers.Server
	link    *servers.Link
}

func (t *track) close() {
	for _, s := range []*servers.Server{t.plain, t.counted} {
		if s != nil {
			s.Close()
		}
	}
	if t.link != nil {
		t.link.Close()
	}
}

// counts are the link's; what is inside TLS, the server counts.
func (t *track) counts(ctx context.Context) (proxy.Counts, error) {
	c, err := t.link.Counts(ctx)
	if err == nil && t.counted.CA != "" {
		c.Requests, err = t.counted.Requests()
	}
	return c, err
}

// open starts the servers. A hub and GCS tell clients the address of the bytes, so the one behind
// the link is another one.
func (l *lab) open(ctx context.Context, c trial) (t *track, err error) {
	t = new(track)
	defer func() {
		if err != nil {
			t.close()
		}
	}()
	shape := servers.Shape{}
	if c.link == "shaped" {
		if l.slower != nil {
			return t, l.slower
		}
		shape = servers.Shape{Namespace: l.slow, Delay: linkDelay, Rate: connRate}
	}
	ports, cdn := 1, ""
	name, tls := strings.CutSuffix(c.server, servers.TLS)
	tells := name == "hub" || name == "gcs"
	if name == "hub" {
		ports = 2
	}
	if t.link, err = servers.NewLink(ctx, shape, ports); err != nil {
		return t, err
	}
	if tells {
		cdn = t.link.Origin(ports-1, tls)
	}
	if t.counted, err = l.serve(ctx, c.server, c.set, cdn); err != nil {
		return t, err
	}
	if c.link == "loopback" {
		t.plain = t.counted
		if tells {
			if t.plain, err = l.serve(ctx, c.server, c.set, ""); err != nil {
				return t, err
			}
		}
	}
	return t, t.link.Connect(ctx, t.counted)
}

// measure runs a trial and reports it.
func (l *lab) measure(ctx context.Context, c trial) error {
	if err := dataset.Make(ctx, l.data, c.set); err != nil {
		return err
	}
	t, err := l.open(ctx, c)
	if err != nil {
		return err
	}
	defer t.close()
	var all []*contestant
	for _, p := range l.found {
		if p.Can(t.counted) {
			all = append(all, &contestant{peer: p})
		}
	}
	before := load()
	for _, k := range all {
		l.report.Progress("%s: first run of %s", c, k.peer.Name)
		if err := l.count(ctx, c, t, k); err != nil {
			return err
		}
	}
	for round := range l.n {
		l.report.Progress("%s: round %d of %d", c, round+1, l.n)
		for _, i := range bench.Order(len(all), round) {
			if err := l.time(ctx, c, t, all[i]); err != nil {
				return err
			}
		}
	}
	l.report.trial(c, all, fileSystem(l.target), before)
	return nil
}

// count runs a contestant through the link, and notes what passed.
func (l *lab) count(ctx context.Context, c trial, t *track, k *contestant) error {
	start, err := t.counts(ctx)
	if err != nil {
		return err
	}
	_, k.fault = l.once(ctx, c, t, k.peer, true)
	end, err := t.counts(ctx)
	k.counts = proxy.Counts{Requests: end.Requests - start.Requests, Bytes: end.Bytes - start.Bytes}
	if err == nil {
		err = ctx.Err()
	}
	return err
}

// time runs a contestant for a round. One that failed once is not tried again.
func (l *lab) time(ctx context.Context, c trial, t *track, k *contestant) error {
	var usage bench.Usage
	if k.fault == nil {
		usage, k.fault = l.once(ctx, c, t, k.peer, t.plain == nil)
	}
	if k.fault != nil {
		usage = bench.Usage{}
	}
	k.wall, k.cpu = append(k.wall, usage.Wall.Seconds()), append(k.cpu, usage.CPU.Seconds())
	k.rss = max(k.rss, usage.RSS)
	return ctx.Err()
}

// once runs a program into an empty folder and checks what it left there.
func (l *lab) once(ctx context.Context, c trial, t *track, p *peers.Peer, linked bool) (bench.Usage, error) {
	job := peers.Job{Server: t.counted, Set: c.set, Target: filepath.Join(l.target, "files"), Scratch: filepath.Join(l.work, "scratch")}
	for _, dir := range []string{job.Target, job.Scratch} {
		if err := os.RemoveAll(dir); err != nil {
			return bench.Usage{}, err
		}
		if err := os.Mkdir(dir, 0o750); err != nil {
			return bench.Usage{}, err
		}
	}
	defer func() { _ = os.RemoveAll(job.Target) }() // the next run does it again
	if err := l.warm(c.set.Size()); err != nil {
		return bench.Usage{}, err
	}
	if linked {
		job.URL = t.link.URL(t.counted)
	} else {
		job.Server, job.URL = t.plain, t.plain.URL()
	}
	argv, env, err := p.Command(job)
	if err != nil {
		return bench.Usage{}, err
	}
	if linked {
		argv = t.link.Wrap(argv)
	}
	ctx, cancel := context.WithTimeout(ctx, l.limit)
	defer cancel()
	usage, err := bench.Run(ctx, argv, env)
	if err != nil {
		return usage, err
	}
	dir, err := p.Files(job)
	if err != nil {
		return usage, err
	}
	return usage, c.set.Check(dir)
}

// load is the machine's load average of the last minute, or "".
func load() string {
	var one string
	data, err := os.ReadFile("/proc/loadavg")
	if err == nil {
		_, err = fmt.Sscan(string(data), &one)
	}
	if err != nil {
		return ""
	}
	return one
}
