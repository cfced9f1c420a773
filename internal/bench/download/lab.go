//go:build linux

package main

import (
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/spinup-llm/spinup/internal/bench/download/dataset"
	"github.com/spinup-llm/spinup/internal/bench/download/peers"
	"github.com/spinup-llm/spinup/internal/bench/download/servers"
)

// A lab is what all measurements share: programs, folders, the slow network.
type lab struct {
	*options
	report *report
	found  []*peers.Peer
	root   string // of the checkout
	work   string // removed in the end
	slow   *servers.Namespace
	slower error // why there is no slow network
}

func newLab(ctx context.Context, o *options, r *report) (*lab, error) {
	l := &lab{options: o, report: r}
	var err error
	if l.work, err = os.MkdirTemp("", "spinup-bench-"); err != nil {
		return nil, err
	}
	if l.data == "" {
		l.data = filepath.Join(l.work, "data")
	}
	if err = l.chooseTarget(); err == nil {
		err = l.findPrograms(ctx)
	}
	if err != nil {
		l.close(ctx)
		return nil, err
	}
	if slices.Contains(l.links, "shaped") {
		l.slow, l.slower = servers.NewNamespace(ctx, linkBits)
	}
	return l, nil
}

func (l *lab) close(ctx context.Context) {
	if l.slow != nil {
		l.slow.Close(ctx)
	}
	_ = os.RemoveAll(l.target) // it was made here
	_ = os.RemoveAll(l.work)   // see above
}

// chooseTarget makes a folder in memory where there is one, so that the disk is not what is
// measured.
func (l *lab) chooseTarget() error {
	parent := l.target
	if parent == "" {
		parent = "/dev/shm"
		if info, err := os.Stat(parent); err != nil || !info.IsDir() {
			parent = l.work
		}
	}
	var err error
	l.target, err = os.MkdirTemp(parent, "spinup-bench-")
	return err
}

func (l *lab) findPrograms(ctx context.Context) error {
	gomod, err := output(ctx, "go", "env", "GOMOD")
	if err != nil {
		return err
	}
	l.root = filepath.Dir(gomod)
	if l.ours == "" {
		l.ours = filepath.Join(l.work, "download")
		if _, err = output(ctx, "go", "build", "-C", l.root, "-buildvcs=true", "-o", l.ours, "./examples/download"); err != nil {
			return err
		}
	}
	if l.bin == "" {
		if l.bin, err = output(ctx, filepath.Join(l.root, "internal/setup/peers.sh")); err != nil {
			return err
		}
	}
	found, missing := peers.Find(ctx, l.chosen(peers.All(l.ours)), l.bin)
	for _, m := range missing {
		name, why, _ := strings.Cut(m, ": ")
		l.report.skip(name, errors.New(why))
	}
	l.found = found
	for _, p := range found {
		if p.Name == peers.Ours {
			p.Version = revision(l.ours)
		}
	}
	return nil
}

func (l *lab) chosen(all []*peers.Peer) []*peers.Peer {
	return slices.DeleteFunc(all, func(p *peers.Peer) bool {
		asked := slices.ContainsFunc(l.peers, func(part string) bool { return strings.Contains(p.Name, part) })
		return p.Name != peers.Ours && len(l.peers) > 0 && !asked
	})
}

// serve starts a server for a set, with its files in a folder of its own.
func (l *lab) serve(ctx context.Context, name string, set *dataset.Set, cdn string) (*servers.Server, error) {
	dir, err := os.MkdirTemp(l.work, name+"-")
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // workers of nginx read it
		return nil, err
	}
	nginx := "nginx"
	if path, err := exec.LookPath("/usr/sbin/nginx"); err == nil { // not in everybody's PATH
		nginx = path
	}
	name, tls := strings.CutSuffix(name, servers.TLS)
	switch name {
	case "nginx":
		return servers.Nginx(ctx, nginx, dir, set, tls)
	case "hub":
		return servers.Repo(ctx, nginx, dir, set, cdn)
	case "gcs":
		program, err := l.tool(ctx, "gcsserver")
		if err != nil {
			return nil, err
		}
		return servers.Gcs(ctx, program, dir, set, cdn, tls)
	case "minio":
		program, err := l.tool(ctx, "minio") // the first time this takes 20 minutes
		if err != nil {
			return nil, err
		}
		return servers.Minio(ctx, program, dir, set, tls)
	case "versitygw":
		program, err := l.tool(ctx, "s3server")
		if err != nil {
			return nil, err
		}
		return servers.Versitygw(ctx, program, dir, set, tls)
	default:
		return nil, fmt.Errorf("there is no server %q", name)
	}
}

// tool returns the path of a program of internal/tools.
func (l *lab) tool(ctx context.Context, name string) (string, error) {
	return output(ctx, filepath.Join(l.root, "internal/setup/tool.sh"), name)
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

// revision says from what source a program of ours was built.
func revision(path string) string {
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return "unknown"
	}
	var commit, changed string
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			commit = s.Value[:min(len(s.Value), 9)]
		case s.Key == "vcs.modified" && s.Value == "true":
			changed = " with changes"
		}
	}
	if commit == "" {
		return "unknown"
	}
	return commit + changed
}

const inMemory = "memory (tmpfs)"

// fileSystem names what a folder lies on.
func fileSystem(dir string) string {
	const tmpfs, ext4 = 0x01021994, 0xef53
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return "unknown"
	}
	switch s.Type {
	case tmpfs:
		return inMemory
	case ext4:
		return "disk (ext4)"
	default:
		return fmt.Sprintf("file system %#x", s.Type)
	}
}
