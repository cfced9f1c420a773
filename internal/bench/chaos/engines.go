//go:build linux

package main

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spinup-llm/spinup"
	"github.com/spinup-llm/spinup/internal/guardian"
	"github.com/spinup-llm/spinup/lifecycle"
)

// A victim is the engine of a ready replica.
type victim struct {
	replica string
	process *os.Process        // that listens
	family  []guardian.Process // it and all below
}

// engines returns those of all ready replicas. One that is just ending may be missing.
func engines(d *spinup.Deployment) (found []victim) {
	ready := map[string]bool{}
	for _, r := range d.Status()[0].Replicas {
		ready[r.ID] = r.Stage == lifecycle.StageReady
	}
	family := guardian.Family(os.Getpid())
	for s := range d.Timeline().All() {
		if s.Stage != lifecycle.StageReady || !ready[s.Replica] {
			continue
		}
		if pid := listens(family, strings.TrimPrefix(s.Message, "http://")); pid != 0 {
			if p, err := os.FindProcess(pid); err == nil {
				found = append(found, victim{replica: s.Replica, process: p, family: guardian.Family(pid)})
			}
		}
	}
	return found
}

// listens returns the process that was told to listen at address, by its command line: that
// of the engine has the address, or its port.
func listens(family []guardian.Process, address string) int {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return 0
	}
	for _, p := range family {
		line, err := os.ReadFile("/proc/" + strconv.Itoa(p.PID) + "/cmdline")
		if err != nil {
			continue // it has ended
		}
		args := strings.Split(string(line), "\x00")
		if slices.Contains(args, address) || slices.Contains(args, port) {
			return p.PID
		}
	}
	return 0
}

// left returns those of the family that still run.
func left(family []guardian.Process) (running []string) {
	for _, p := range family {
		if p.Alive() {
			running = append(running, name(p))
		}
	}
	return running
}

func name(p guardian.Process) string {
	line, _ := os.ReadFile("/proc/" + strconv.Itoa(p.PID) + "/comm") // empty when it has just ended
	return fmt.Sprintf("%d %s", p.PID, strings.TrimSpace(string(line)))
}
