//go:build unix

package guardian

import (
	"encoding/json"
	"errors"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// How often the tree of descendants is looked at: often while it changes, rarely while it
// does not. A look lists /proc and reads only what is new there. Deaths do not wait for it
// where the system has pidfds (Linux 5.3).
const (
	lookSoon = 100 * time.Millisecond
	lookLate = 500 * time.Millisecond
)

// guard is the guardian's main function. It runs on the main thread, to which the
// parent-death signal of the command is tied, and which initialisers never leave.
func guard() int {
	g := &guardian{host: os.Getppid()}
	order, err := g.readOrder()
	if err != nil {
		_, _ = os.Stderr.WriteString("guardian: not started by its host: " + err.Error() + "\n")
		return 2
	}
	isolate()
	if err := g.start(order); err != nil {
		g.tell(report{Failed: failureOf(err)})
		return 1
	}
	g.tell(report{Started: g.main})
	g.watch()
	if left := g.killAll(); len(left) > 0 {
		g.tell(report{Left: left})
		return 1
	}
	_ = os.RemoveAll(order.Scratch) // what it has left cannot be told by anybody
	g.tell(report{Gone: true})
	return 0
}

type guardian struct {
	host    int // its end is mostly seen by the pipe's
	control lines
	main    int  // the command, and its process group
	over    bool // the command has ended
	tree    *tree
	look    time.Duration
	share   share // that is to be settled; "" is none
}

// isolate keeps the terminal's and the host's signals from the guardian, and the host's
// descriptors from the command. Signals are caught rather than ignored: what is ignored
// stays so in a new program.
func isolate() {
	signal.Notify(make(chan os.Signal, 1), unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT,
		unix.SIGUSR1, unix.SIGUSR2, unix.SIGTSTP)
	closeOnExec(controlFD)
	adoptOrphans()
}

func (g *guardian) readOrder() (Order, error) {
	for {
		if line, ok := g.control.next(); ok {
			return decodeOrder(line)
		}
		if !g.hear() {
			return Order{}, errors.New("no order")
		}
	}
}

// hear reads once from the host and reports whether the host is still there.
func (g *guardian) hear() bool {
	chunk := make([]byte, 64<<10)
	for {
		n, err := unix.Read(controlFD, chunk)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		g.control.add(chunk[:max(n, 0)])
		return n > 0
	}
}

func (g *guardian) start(o Order) error {
	sys := &syscall.SysProcAttr{Setpgid: true}
	dieWithParent(sys)
	pid, err := syscall.ForkExec(o.Path, o.Args, &syscall.ProcAttr{ //nolint:gosec // what the host orders is run
		Dir: o.Dir, Env: o.Env, Files: []uintptr{0, 1, 2}, Sys: sys,
	})
	if err != nil {
		return err
	}
	g.main, g.tree, g.look = pid, newTree(pid, o.Vital), lookSoon
	return nil
}

// watch returns when the command has ended, or the host has, or wants it to.
func (g *guardian) watch() {
	next := time.Now()
	for {
		if time.Now().After(next) {
			if os.Getppid() != g.host { // a child of the host's holds the pipe open
				return
			}
			g.scan()
			next = time.Now().Add(g.look)
		}
		if !g.pause(min(time.Until(next), g.settle())) {
			return
		}
		ended, _ := g.reap()
		if g.over {
			return
		}
		for _, d := range g.tree.lost(ended) {
			g.tell(report{Lost: &d})
		}
	}
}

func (g *guardian) scan() {
	if !g.tree.scan() {
		g.look = min(2*g.look, lookLate)
		return
	}
	g.look = lookSoon
	if all := g.tree.all(); len(all) > 0 {
		g.tell(report{Tree: all})
	}
}

// settle sets the share that is wanted, and returns when to call it again at the latest.
func (g *guardian) settle() time.Duration {
	if g.share != "" && g.share.take() {
		return lookSoon
	}
	g.share = ""
	return lookLate
}

// pause waits for the host, for the end of a watched process, or for the limit. It reports
// false when everything has to end.
func (g *guardian) pause(limit time.Duration) bool {
	fds := g.tree.wake([]unix.PollFd{{Fd: controlFD, Events: unix.POLLIN}})
	_, err := unix.Poll(fds, int(max(limit, 0).Milliseconds())+1)
	if err != nil || fds[0].Revents == 0 {
		return true
	}
	if !g.hear() {
		return false
	}
	for {
		line, ok := g.control.next()
		if !ok {
			return true
		}
		g.obey(string(line))
	}
}

// obey knows "signal N" and "share S". The command is not reaped yet, so its number is its own.
func (g *guardian) obey(command string) {
	verb, value, _ := strings.Cut(command, " ")
	if verb == "share" {
		g.share = share(value)
	} else if n, err := strconv.Atoi(value); err == nil {
		_ = unix.Kill(g.main, unix.Signal(n))
	}
}

// trackersWithin is how long what only cleans up may outlive the rest.
const trackersWithin = time.Second

// killAll ends all that descends from the guardian, again and again, since they may fork
// meanwhile. Having no child at all is the proof that nothing is left, as orphans become
// our children. It returns what does not let itself be killed: programs of other users.
func (g *guardian) killAll() (left []int) {
	begun := time.Now()
	for delay := time.Millisecond; ; delay = min(2*delay, 50*time.Millisecond) {
		living, refused := sweep(g.main, time.Since(begun) < trackersWithin)
		if _, childless := g.reap(); childless {
			return nil
		}
		if living > 0 && len(refused) == living {
			return refused
		}
		_, _ = unix.Poll(nil, int(delay.Milliseconds()))
	}
}

// tell writes one report. A host that is gone does not read it, which is no error.
func (g *guardian) tell(r report) {
	line, err := json.Marshal(r)
	if err != nil {
		return
	}
	line = append(line, '\n')
	for len(line) > 0 {
		n, err := unix.Write(statusFD, line)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return
		}
		line = line[max(n, 0):]
	}
}

// reap collects what has ended, by process, tells of the command's end, and reports whether
// no child is left at all.
func (g *guardian) reap() (ended map[int]unix.WaitStatus, childless bool) {
	ended = map[int]unix.WaitStatus{}
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, unix.WNOHANG, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil || pid <= 0:
			return ended, errors.Is(err, unix.ECHILD)
		case pid == g.main:
			g.over = true
			g.tell(report{Exit: new(exitOf(status))})
		default:
			ended[pid] = status
		}
	}
}

func exitOf(s unix.WaitStatus) int {
	if s.Signaled() {
		return 128 + int(s.Signal())
	}
	return s.ExitStatus()
}

func failureOf(err error) *failure {
	f := &failure{Message: err.Error()}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		f.Errno = int(errno)
	}
	return f
}
