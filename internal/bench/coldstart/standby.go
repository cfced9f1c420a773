//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spinup-llm/spinup/internal/guardian"
)

// serving waits until the program serves and has a standby, and returns its engine's core.
func (p *program) serving(ctx context.Context, addr string) (core int, err error) {
	if err := p.firstToken(ctx, addr); err != nil {
		return 0, err
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		page, err := get(ctx, "http://"+addr+"/debug/startup")
		if err != nil {
			return 0, err
		}
		if bytes.Contains(page, []byte("1 of 1 standbys ready")) {
			break
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	for _, q := range guardian.Family(p.cmd.Process.Pid) {
		title, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(q.PID), "cmdline")) // it may have ended
		if bytes.Contains(title, []byte("::EngineCore")) {
			return q.PID, nil
		}
	}
	return 0, errors.New("the engine has no core")
}
