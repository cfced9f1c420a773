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

// listens returns the first process of the family that has a socket listening at address: those
// that it forked may have it too. 0 is none.
func listens(family []guardian.Process, address string) int {
	socket := listener(address)
	if socket == "" {
		return 0
	}
	for _, p := range family {
		dir := "/proc/" + strconv.Itoa(p.PID) + "/fd/"
		files, _ := os.ReadDir(dir) // none when it has ended
		if slices.ContainsFunc(files, func(f os.DirEntry) bool {
			to, err := os.Readlink(dir + f.Name())
			return err == nil && to == socket
		}) {
			return p.PID
		}
	}
	return 0
}

// listener returns the socket that listens at the port of address, as /proc names it in fd.
func listener(address string) string {
	_, text, _ := net.SplitHostPort(address)
	port, err := strconv.ParseUint(text, 10, 16)
	table, readErr := os.ReadFile("/proc/net/tcp")
	if err != nil || readErr != nil {
		return ""
	}
	for line := range strings.Lines(string(table)) {
		const local, state, inode, listening = 1, 3, 9, "0A"
		f := strings.Fields(line)
		if len(f) > inode && f[state] == listening && strings.HasSuffix(f[local], fmt.Sprintf(":%04X", port)) {
			return "socket:[" + f[inode] + "]"
		}
	}
	return ""
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
