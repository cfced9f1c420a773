package guardian

import (
	"errors"
	"os"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// A tree follows the descendants of the guardian.
type tree struct {
	self, main int
	mainFD     int // pidfd of the command, -1 without
	vital      []string
	known      map[int]*member
	seen       []int // all processes of the last look, ascending
}

// A member is one descendant.
type member struct {
	stat
	vital bool
	title string
	pidfd int // -1 without
}

func newTree(main int, vital []string) *tree {
	fd, err := unix.PidfdOpen(main, 0)
	if err != nil {
		fd = -1
	}
	return &tree{self: os.Getpid(), main: main, mainFD: fd, vital: vital, known: map[int]*member{}}
}

// scan looks for processes that came and went, and reports whether there were any. What
// was seen before and is no descendant cannot become one, so only new ones are read.
func (t *tree) scan() (changed bool) {
	listed := processes()
	var fresh []stat
	for _, pid := range listed {
		if _, old := slices.BinarySearch(t.seen, pid); !old && t.known[pid] == nil {
			if s, ok := statOf(pid); ok {
				fresh = append(fresh, s)
			}
		}
	}
	t.seen = listed
	for added := true; added; {
		added = false
		for _, s := range fresh {
			if t.known[s.PID] == nil && t.below(s) {
				t.known[s.PID] = &member{stat: s, pidfd: -1}
				added = true
			}
		}
		changed = changed || added
	}
	for _, s := range fresh {
		if t.known[s.PID] == nil && !t.listed(s.parent) {
			t.forget(s.PID) // its parent has just ended: look at it again when it is an orphan
		}
	}
	return t.prune() || changed
}

func (t *tree) below(s stat) bool { return s.parent == t.self || t.known[s.parent] != nil }

func (t *tree) listed(pid int) bool {
	_, ok := slices.BinarySearch(t.seen, pid)
	return ok || pid == 0
}

func (t *tree) forget(pid int) {
	if i, ok := slices.BinarySearch(t.seen, pid); ok {
		t.seen = slices.Delete(t.seen, i, i+1)
	}
}

// prune drops what has ended, except for the vital ones, which lost reports first; of the
// others it finds those that have become vital.
func (t *tree) prune() (changed bool) {
	for pid, m := range t.known {
		switch {
		case m.vital:
		case !m.Alive():
			delete(t.known, pid)
			changed = true
		case t.isVital(m):
			m.vital = true
			m.pidfd = openPidfd(m.Process)
		}
	}
	return changed
}

// isVital matches the command line. A process whose command line is its parent's is a fork
// that has not become anything yet, be it for a moment before exec.
func (t *tree) isVital(m *member) bool {
	if len(t.vital) == 0 || m.PID == t.main {
		return false
	}
	m.title = titleOf(m.PID)
	if !slices.ContainsFunc(t.vital, func(v string) bool { return strings.Contains(m.title, v) }) {
		return false
	}
	s, ok := statOf(m.PID)
	return ok && titleOf(s.parent) != m.title
}

// lost returns the vital processes that have ended since the last call. Those of them that
// were our own children have their status in ended.
func (t *tree) lost(ended map[int]unix.WaitStatus) []Death {
	var deaths []Death
	for pid, m := range t.known {
		if !m.vital || m.Alive() {
			continue
		}
		deaths = append(deaths, Death{PID: pid, Name: m.title, Exit: m.exit(ended)})
		if m.pidfd >= 0 {
			_ = unix.Close(m.pidfd)
		}
		delete(t.known, pid)
	}
	return deaths
}

// exit tells how m ended, as long as its parent has not collected it.
func (m *member) exit(ended map[int]unix.WaitStatus) int {
	if status, ok := ended[m.PID]; ok {
		return exitOf(status)
	}
	if s, ok := statOf(m.PID); ok && s.Start == m.Start && s.over {
		return exitOf(s.status)
	}
	return -1
}

// wake adds what ends a pause early: the end of the command and of vital processes.
func (t *tree) wake(fds []unix.PollFd) []unix.PollFd {
	watch := func(fd int) {
		if fd >= 0 {
			fds = append(fds, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}) //nolint:gosec // a descriptor
		}
	}
	watch(t.mainFD)
	for _, m := range t.known {
		watch(m.pidfd)
	}
	return fds
}

// all names every descendant, for the case that the guardian is killed.
func (t *tree) all() []Process {
	all := make([]Process, 0, len(t.known))
	for _, m := range t.known {
		all = append(all, m.Process)
	}
	return all
}

// openPidfd returns -1 where there are no pidfds, or when the process is another by now.
func openPidfd(id Process) int {
	fd, err := unix.PidfdOpen(id.PID, 0)
	if err != nil {
		return -1
	}
	if s, ok := statOf(id.PID); !ok || s.Start != id.Start {
		_ = unix.Close(fd)
		return -1
	}
	return fd
}

// tracker is in the command line of the process that Python starts beside those which share
// memory. It removes what they have left in /dev/shm when they have ended, however they did, and
// then ends: nobody else knows the names. It ignores the signals that a terminal sends.
const tracker = "multiprocessing.resource_tracker"

// sweep kills all descendants, but for Python's trackers where these may still do their work. It
// returns how many lived, and which of them refused.
func sweep(_ int, trackersLive bool) (living int, refused []int) {
	for _, s := range descendants(os.Getpid()) {
		if trackersLive && !s.over && strings.Contains(titleOf(s.PID), tracker) {
			living++
			continue
		}
		err := unix.Kill(s.PID, unix.SIGKILL)
		if s.over {
			continue
		}
		living++
		if errors.Is(err, unix.EPERM) {
			refused = append(refused, s.PID)
		}
	}
	return living, refused
}

// adoptOrphans makes what descends from this process stay its descendant. The name keeps
// "killall HOST" from taking the guardian along.
func adoptOrphans() {
	_ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
	_ = os.WriteFile("/proc/self/comm", []byte(title), 0o600)
}

// dieWithParent ends the command when the guardian itself is killed.
func dieWithParent(sys *syscall.SysProcAttr) { sys.Pdeathsig = syscall.SIGKILL }
