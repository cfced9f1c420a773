package guardian

import (
	"bytes"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A stat is what /proc/PID/stat says of a process.
type stat struct {
	Process
	parent int
	over   bool            // it has ended and waits to be reaped
	status unix.WaitStatus // valid when over
}

func statOf(pid int) (stat, bool) {
	line, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return stat{}, false
	}
	return parseStat(pid, line)
}

// parseStat reads the fields by their numbers in proc(5). The second, the name, may hold
// spaces and parentheses, so counting starts after the last one.
func parseStat(pid int, line []byte) (stat, bool) {
	_, rest, ok := cutLast(line, ')')
	f := bytes.Fields(rest)
	field := func(n int) []byte { return f[n-3] }
	if !ok || len(f) < 22-2 {
		return stat{}, false
	}
	parent, err1 := strconv.Atoi(string(field(4)))
	start, err2 := strconv.ParseUint(string(field(22)), 10, 64)
	if err1 != nil || err2 != nil {
		return stat{}, false
	}
	s := stat{Process: Process{PID: pid, Start: start}, parent: parent}
	// A main thread that left alone looks like a zombie while the others live on.
	s.over = bytes.ContainsAny(field(3), "ZX") && len(field(20)) == 1 && field(20)[0] <= '1'
	if len(f) >= 52-2 {
		if status, err := strconv.ParseUint(string(field(52)), 10, 32); err == nil {
			s.status = unix.WaitStatus(status)
		}
	}
	return s, true
}

func cutLast(line []byte, sep byte) (before, after []byte, ok bool) {
	i := bytes.LastIndexByte(line, sep)
	if i < 0 {
		return line, nil, false
	}
	return line[:i], line[i+1:], true
}

// processes lists all process numbers, ascending; none where /proc is not mounted.
func processes() []int {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer func() { _ = dir.Close() }()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil
	}
	pids := make([]int, 0, len(names))
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return pids
}

// descendants lists the processes below the roots, without the roots, zombies included.
func descendants(roots ...int) []stat {
	children := map[int][]stat{}
	for _, pid := range processes() {
		if s, ok := statOf(pid); ok {
			children[s.parent] = append(children[s.parent], s)
		}
	}
	var found []stat
	for next := roots; len(next) > 0; next = next[1:] {
		for _, s := range children[next[0]] {
			next, found = append(next, s.PID), append(found, s)
		}
	}
	return found
}

// Family returns the process of that number and all that descends from it now. It is empty
// when there is no such process, and on systems other than Linux.
func Family(pid int) []Process {
	root, ok := statOf(pid)
	if !ok {
		return nil
	}
	family := []Process{root.Process}
	for _, s := range descendants(pid) {
		family = append(family, s.Process)
	}
	return family
}

// Alive reports whether the process has not ended. A zombie has.
func (p Process) Alive() bool {
	s, ok := statOf(p.PID)
	return ok && s.Start == p.Start && !s.over
}

// titleOf returns the command line as ps shows it, which a program may have changed.
func titleOf(pid int) string {
	line, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	if err != nil {
		return ""
	}
	title := strings.TrimSpace(strings.ReplaceAll(string(line), "\x00", " "))
	return strings.ToValidUTF8(title[:min(len(title), 200)], "?")
}
