//go:build linux

package bench

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spinup-llm/spinup/internal/guardian"
)

// CPU is the user and system time of a process so far. It is in steps of 10 ms.
func CPU(pid int) (time.Duration, error) {
	own, _, err := times(pid)
	return own, err
}

// TreeCPU is the user and system time of a process, of all that descends from it now, and of
// all those that one of them has reaped: where pid is the subreaper of its descendants, of
// all that there ever were. Those that end at this moment may be missed.
func TreeCPU(pid int) (sum time.Duration) {
	for _, p := range guardian.Family(pid) {
		own, reaped, err := times(p.PID)
		if err == nil {
			sum += own + reaped
		}
	}
	return sum
}

// TreePSS is the memory of a process and of all that descends from it, in bytes: a page that
// several share counts once. Reading it takes tens of milliseconds for a large tree.
func TreePSS(pid int) (sum int64) {
	for _, p := range guardian.Family(pid) {
		var kb int64
		if _, err := fmt.Sscanf(field(fmt.Sprintf("/proc/%d/smaps_rollup", p.PID), "Pss"), "%d kB", &kb); err == nil {
			sum += kb << 10
		}
	}
	return sum
}

// Written is how many bytes a process has written so far, to files and to others.
func Written(pid int) (n int64) {
	_, _ = fmt.Sscan(field(fmt.Sprintf("/proc/%d/io", pid), "wchar"), &n) // 0 where it cannot be read
	return n
}

// times reads proc(5)'s stat, whose second field may hold anything.
func times(pid int) (own, reaped time.Duration, err error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, err
	}
	fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
	const utime, hertz = 11, 100
	if len(fields) < utime+4 {
		return 0, 0, fmt.Errorf("no times in %q", data)
	}
	var t [4]int64
	for i := range t {
		if _, err := fmt.Sscan(fields[utime+i], &t[i]); err != nil {
			return 0, 0, err
		}
	}
	const tick = time.Second / hertz
	return time.Duration(t[0]+t[1]) * tick, time.Duration(t[2]+t[3]) * tick, nil
}
