//go:build unix

package guardian

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"syscall"
	"time"
)

// title is the guardian's name in process lists. It is not the host's, so that a signal to
// all processes of the host's name does not take the guardian along.
const title = "engine-guardian"

// answerWithin is how long a guardian may take to run its command.
const answerWithin = 30 * time.Second

// A Guard is a running guardian and its command, seen from the host. Its methods may be
// called concurrently.
type Guard struct {
	Stdin  *os.File // of the command; its end tells the command that the host is gone
	Output *os.File // stdout and stderr of the command; read it to its end, then close it

	pid     int
	control *os.File
	status  *bufio.Reader
	process *os.Process
	lost    func(Death)
	tree    []Process
	scratch string
	done    chan struct{}
	exit    int
	err     error
}

// Start runs the order under a guardian. ctx limits the start only. The error wraps the
// system's where the command could not be executed. lost is told once: of the first death
// among the command, its vital descendants, and the guardian itself. It must not block.
func Start(ctx context.Context, o Order, lost func(Death)) (*Guard, error) {
	order, err := o.encode()
	if err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	g := &Guard{lost: lost, scratch: o.Scratch, done: make(chan struct{}), exit: -1}
	statusPipe, err := g.spawn()
	if err != nil {
		return nil, err
	}
	g.status = bufio.NewReader(statusPipe)
	limit, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	stop := context.AfterFunc(limit, func() {
		_ = statusPipe.SetReadDeadline(time.Unix(1, 0))
		_ = g.control.SetWriteDeadline(time.Unix(1, 0))
	})
	err = g.begin(order)
	if !stop() {
		err = fmt.Errorf("the guardian did not answer: %w", context.Cause(limit))
	}
	if err != nil {
		g.abandon(statusPipe)
		return nil, err
	}
	go g.follow(statusPipe)
	return g, nil
}

// spawn starts the guardian. Its ends of the pipes are closed here before it returns, and
// none of ours is inherited, by it or by any other child.
func (g *Guard) spawn() (statusPipe *os.File, err error) {
	var ours, theirs []*os.File
	defer func() {
		closeAll(theirs)
		if err != nil {
			closeAll(ours)
		}
	}()
	for _, in := range []bool{true, false, true, false} { // stdin, output, control, status
		r, w, pipeErr := os.Pipe()
		if pipeErr != nil {
			return nil, pipeErr
		}
		if in {
			r, w = w, r
		}
		ours, theirs = append(ours, r), append(theirs, w)
	}
	stdin, output, control, status := theirs[0], theirs[1], theirs[2], theirs[3]
	self, err := program()
	if err != nil {
		return nil, err
	}
	g.process, err = os.StartProcess(self, []string{title}, &os.ProcAttr{
		Env:   append(loaderEnv(), marker+"=1"),
		Files: []*os.File{stdin, output, output, control, status},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return nil, err
	}
	g.Stdin, g.Output, g.control = ours[0], ours[1], ours[2]
	return ours[3], nil
}

// loaderEnv is what a host with native libraries may need to be started once more. It is the
// guardian's alone.
func loaderEnv() (env []string) {
	for _, key := range []string{"LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH", "DYLD_FRAMEWORK_PATH"} {
		if v, ok := os.LookupEnv(key); ok {
			env = append(env, key+"="+v)
		}
	}
	return env
}

// program is this program's file: on Linux by a name that stays right when the file was
// replaced or removed.
func program() (string, error) {
	const self = "/proc/self/exe"
	if _, err := os.Stat(self); err == nil {
		return self, nil
	}
	return os.Executable()
}

// begin hands over the order and waits for the word on it.
func (g *Guard) begin(order []byte) error {
	if _, err := g.control.Write(order); err != nil {
		return fmt.Errorf("guardian: %w", err)
	}
	r, err := g.hear()
	switch {
	case err != nil:
		return fmt.Errorf("guardian: no answer of this program's second process: %w", err)
	case r.Failed != nil && r.Failed.Errno != 0:
		return syscall.Errno(r.Failed.Errno)
	case r.Failed != nil:
		return errors.New(r.Failed.Message)
	}
	g.pid = r.Started
	return nil
}

func (g *Guard) hear() (report, error) {
	var r report
	line, err := g.status.ReadBytes('\n')
	if err != nil {
		return r, err
	}
	return r, json.Unmarshal(line, &r)
}

// abandon ends a guardian that has run nothing, or is no guardian. A slow one gets time to
// end what it may have begun.
func (g *Guard) abandon(statusPipe *os.File) {
	closeAll([]*os.File{g.Stdin, g.Output, g.control, statusPipe})
	late := time.AfterFunc(2*time.Second, func() { _ = g.process.Kill() })
	defer late.Stop()
	_, _ = g.process.Wait()
}

// follow takes in reports until the guardian has ended.
func (g *Guard) follow(statusPipe *os.File) {
	defer close(g.done)
	clean := false
	for {
		r, err := g.hear()
		if err != nil {
			break
		}
		switch {
		case r.Exit != nil:
			g.exit = *r.Exit
			g.report(Death{PID: g.pid, Exit: g.exit})
		case r.Lost != nil:
			g.report(*r.Lost)
		case r.Tree != nil:
			g.tree = r.Tree
		case r.Left != nil:
			clean, g.err = true, fmt.Errorf("processes %v could not be killed", r.Left)
		default:
			clean = r.Gone
		}
	}
	if !clean {
		g.err = errors.New("the guardian itself was killed")
		g.report(Death{PID: g.process.Pid, Name: title, Exit: -1})
		killRemains(g.pid, g.tree)
		_ = os.RemoveAll(g.scratch) // as the guardian would have
	}
	_ = g.Kill()
	_ = statusPipe.Close()
	_, _ = g.process.Wait()
	if g.err != nil { // somebody may hold the output for ever
		_ = g.Output.SetReadDeadline(time.Now().Add(time.Second))
	}
}

// report passes the first death on; what follows is its consequence.
func (g *Guard) report(d Death) {
	if g.lost != nil {
		g.lost(d)
		g.lost = nil
	}
}

// PID is the command's process and its group.
func (g *Guard) PID() int { return g.pid }

// Signal sends sig to the command alone.
func (g *Guard) Signal(sig syscall.Signal) error { return g.order("signal " + strconv.Itoa(int(sig))) }

// Yield puts the command, and all that descends from it, behind others that want the processor, or
// gives them a share like that of others again. Where the system cannot (see share), it changes
// nothing. It does not wait.
func (g *Guard) Yield(yield bool) error {
	if yield {
		return g.order("share " + string(smallShare))
	}
	return g.order("share " + string(fullShare))
}

func (g *Guard) order(command string) error {
	_, err := io.WriteString(g.control, command+"\n")
	if errors.Is(err, os.ErrClosed) || errors.Is(err, syscall.EPIPE) {
		return os.ErrProcessDone
	}
	return err
}

// Kill ends the command and all that descends from it, just as the host's own death does.
// It does not wait, and may be called again.
func (g *Guard) Kill() error {
	if err := g.control.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

// Wait returns when nothing is left: the command's exit code, 128 and the signal when one
// ended it, or -1 when it is unknown. An error says what went wrong in finding out.
func (g *Guard) Wait() (exit int, err error) {
	<-g.done
	return g.exit, g.err
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}
