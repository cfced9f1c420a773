//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spinup-llm/spinup/internal/bench"
	"github.com/spinup-llm/spinup/internal/bench/download/dataset"
	"github.com/spinup-llm/spinup/internal/bench/download/servers"
	"github.com/spinup-llm/spinup/internal/randmodel"
)

// A lab is what all measurements share.
type lab struct {
	*options
	report *report
	root   string // of the checkout
	work   string // removed in the end
	vllm   string // the programs
	gw     string
	ray    string // "" where it is not asked for
}

func newLab(ctx context.Context, o *options, r *report) (l *lab, err error) {
	l = &lab{options: o, report: r}
	gomod, err := output(ctx, "go", "env", "GOMOD")
	if err != nil {
		return nil, err
	}
	l.root = filepath.Dir(gomod)
	if l.vllm = os.Getenv("SPINUP_VLLM"); l.vllm == "" {
		if l.vllm, err = l.setup(ctx, "vllm.sh"); err != nil {
			return nil, err
		}
	}
	if l.gw, err = l.setup(ctx, "tool.sh", "s3server"); err != nil {
		return nil, err
	}
	if slices.Contains(o.peers, "ray") {
		if l.ray, err = l.setup(ctx, "rayserve.sh"); err != nil {
			return nil, err
		}
	}
	if l.work, err = os.MkdirTemp("", "spinup-coldstart-"); err != nil {
		return nil, err
	}
	_, err = output(ctx, "go", "build", "-C", l.root, "-o", l.work+"/", "./examples/serve", "./examples/download")
	return l, err
}

func (l *lab) setup(ctx context.Context, script string, args ...string) (string, error) {
	return output(ctx, append([]string{filepath.Join(l.root, "internal/setup", script)}, args...)...)
}

// output runs a helper and returns what it prints.
func output(ctx context.Context, argv ...string) (string, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...) //nolint:gosec // see the callers
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s: %w", strings.Join(argv, " "), err)
	}
	return strings.TrimSpace(string(out)), err
}

// shapes are the models: Llamas of random weights in bfloat16.
var shapes = map[string]randmodel.Options{
	"tiny":  {},
	"small": {Layers: 16, Hidden: 1024, Shards: 4},
}

// serve writes a model and starts an S3 server with it.
func (l *lab) serve(ctx context.Context, name string) (*servers.Server, *dataset.Set, error) {
	set := &dataset.Set{Name: name, Dir: filepath.Join(l.work, "model-"+name)}
	if err := os.MkdirAll(set.Dir, 0o750); err != nil {
		return nil, nil, err
	}
	if err := randmodel.Write(set.Dir, shapes[name]); err != nil {
		return nil, nil, err
	}
	entries, err := os.ReadDir(set.Dir)
	if err != nil {
		return nil, nil, err
	}
	for _, e := range entries {
		info, infoErr := e.Info()
		if infoErr != nil {
			return nil, nil, infoErr
		}
		set.Files = append(set.Files, dataset.File{Path: e.Name(), Size: info.Size()})
	}
	srv, err := servers.Versitygw(ctx, l.gw, filepath.Join(l.work, "s3-"+name), set, false)
	return srv, set, err
}

// measure runs all contestants with a model, in turns, and reports them.
func (l *lab) measure(ctx context.Context, name string) error {
	srv, set, err := l.serve(ctx, name)
	if err != nil {
		return err
	}
	defer srv.Close()
	all, err := l.contestants(srv, set)
	if err != nil {
		return err
	}
	for round := range l.n {
		for _, i := range bench.Order(len(all), round) {
			if err := l.turn(ctx, srv, all[i], round); err != nil {
				return err
			}
		}
	}
	for _, cache := range l.caches {
		l.report.trial(set, cache, all)
	}
	return nil
}

// turn is a cold start and a warm one, as far as they are asked for. The first warm start needs
// a cold one before it.
func (l *lab) turn(ctx context.Context, srv *servers.Server, k *contestant, round int) error {
	if round == 0 || slices.Contains(l.caches, "cold") {
		if err := os.RemoveAll(k.home); err != nil {
			return err
		}
		if err := l.timed(ctx, srv, k, "cold", round); err != nil {
			return err
		}
	}
	if !slices.Contains(l.caches, "warm") {
		return nil
	}
	return l.timed(ctx, srv, k, "warm", round)
}

// timed keeps the result of a start.
func (l *lab) timed(ctx context.Context, srv *servers.Server, k *contestant, cache string, round int) error {
	res, err := l.start(ctx, srv, k)
	if err != nil {
		return fmt.Errorf("%s, %s, round %d: %w", k.name, cache, round+1, err)
	}
	l.report.Progress("%s, %s, round %d: %.2f s, %.2f CPU s", k.name, cache, round+1, res.wall, res.cpu)
	k.results[cache] = append(k.results[cache], res)
	return nil
}
