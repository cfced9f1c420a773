//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spinup-llm/spinup/lifecycle"
)

// A fault breaks something and returns when the deployment should be on its way back to
// full strength: since when, and which processes must not be there any more.
type fault func(l *lab, ctx context.Context) (since time.Time, gone []victim, err error)

// kinds are the names of faults.
var kinds = []string{"kill", "freeze", "network", "update", "scale", "disk"}

var faults = map[string]fault{
	"kill":    (*lab).kill,
	"freeze":  (*lab).freeze,
	"disk":    (*lab).fillDisk,
	"network": (*lab).cutNetwork,
	"update":  (*lab).update,
	"scale":   (*lab).scale,
}

// choose chooses an engine, which is about to be broken.
func (l *lab) choose() (v victim, err error) {
	all := engines(l.dep)
	if len(all) == 0 {
		return v, errors.New("no engine was found to break")
	}
	v = all[l.rand.IntN(len(all))]
	l.routes.strike(v.replica)
	return v, nil
}

// strike chooses an engine and sends the process that listens a signal.
func (l *lab) strike(s syscall.Signal) (v victim, err error) {
	if v, err = l.choose(); err != nil {
		return v, err
	}
	return v, v.process.Signal(s)
}

// kill kills one of the processes that an engine does not live without.
func (l *lab) kill(context.Context) (time.Time, []victim, error) {
	v, err := l.choose()
	if err != nil {
		return time.Now(), nil, err
	}
	vital := []int{v.process.Pid}
	for _, p := range v.family {
		if strings.Contains(name(p), "VLLM::") && p.PID != v.process.Pid {
			vital = append(vital, p.PID)
		}
	}
	return time.Now(), []victim{v}, syscall.Kill(vital[l.rand.IntN(len(vital))], syscall.SIGKILL)
}

func (l *lab) freeze(ctx context.Context) (time.Time, []victim, error) {
	v, err := l.strike(syscall.SIGSTOP)
	since := time.Now()
	if err != nil {
		return since, nil, err
	}
	if !l.wait(ctx, l.within, func() bool { return !l.has(v.replica) }) {
		l.ledger.violated("a stopped engine was not found within %v: %s", l.within, l.describe())
	}
	if err := v.process.Signal(syscall.SIGCONT); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return since, nil, err
	}
	return since, []victim{v}, nil
}

// fillDisk kills an engine, whose successor needs no space, and updates, which does: that
// has to fail, with the reason, and to change nothing.
func (l *lab) fillDisk(ctx context.Context) (time.Time, []victim, error) {
	if err := l.disk.fill(); err != nil {
		return time.Now(), nil, err
	}
	v, err := l.strike(syscall.SIGKILL)
	since := time.Now()
	if err != nil {
		return since, nil, errors.Join(err, l.disk.free())
	}
	l.revision++
	limit, cancel := context.WithTimeout(ctx, l.within)
	defer cancel()
	if err := l.dep.Update(limit, l.config()); !errors.Is(err, lifecycle.NoSpace) {
		l.ledger.violated("an update onto a full disk ended with: %v", err)
	}
	return since, []victim{v}, l.disk.free()
}

// cutNetwork takes the files away, so that the successor of an engine has to fetch them.
func (l *lab) cutNetwork(ctx context.Context) (time.Time, []victim, error) {
	l.link.cut()
	defer l.link.mend()
	if err := l.emptyCache(); err != nil {
		return time.Now(), nil, err
	}
	v, err := l.strike(syscall.SIGKILL)
	if err != nil {
		return time.Now(), nil, err
	}
	l.linger(ctx, l.pause)
	return time.Now(), []victim{v}, nil
}

// emptyCache removes what was downloaded, as a node that is new would lack it. Its locks
// stay.
func (l *lab) emptyCache() error {
	store := filepath.Join(l.work, "store")
	entries, err := os.ReadDir(store)
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			err = errors.Join(err, os.RemoveAll(filepath.Join(store, e.Name())))
		}
	}
	return err
}

func (l *lab) update(ctx context.Context) (time.Time, []victim, error) {
	since, old := time.Now(), engines(l.dep)
	l.revision++
	limit, cancel := context.WithTimeout(ctx, l.within)
	defer cancel()
	if err := l.dep.Update(limit, l.config()); err != nil {
		l.ledger.violated("an update failed: %v", err)
	}
	return since, old, nil
}

func (l *lab) scale(ctx context.Context) (time.Time, []victim, error) {
	since := time.Now()
	if err := l.dep.Scale(modelID, l.replicas+1); err != nil {
		return since, nil, err
	}
	if !l.wait(ctx, l.within, func() bool { return l.full(l.replicas + 1) }) {
		l.ledger.violated("no replica more within %v: %s", l.within, l.describe())
	}
	return since, nil, l.dep.Scale(modelID, l.replicas)
}

// has reports that a replica is there, whatever it does.
func (l *lab) has(id string) bool {
	for _, r := range l.dep.Status()[0].Replicas {
		if r.ID == id {
			return true
		}
	}
	return false
}

// cause lets a fault happen and waits for full strength.
func (l *lab) cause(ctx context.Context, name string) error {
	l.ledger.begin(name)
	since, gone, err := faults[name](l, ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	back := l.wait(ctx, l.within, func() bool {
		for _, v := range gone {
			if l.has(v.replica) {
				return false
			}
		}
		return l.full(l.replicas)
	})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if !back {
		l.ledger.violated("no full strength within %v: %s", l.within, l.describe())
	}
	after := time.Since(since)
	var running []string
	for _, v := range gone {
		running = append(running, left(v.family)...)
	}
	l.ledger.recovered(after, running)
	fmt.Fprintf(l.now, "%s: full strength after %v\n", name, after.Round(time.Millisecond))
	return nil
}
