//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"runtime/pprof"
	"strings"
	"syscall"
	"time"

	"github.com/spinup-llm/spinup"
	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/internal/bench"
	"github.com/spinup-llm/spinup/lifecycle"
)

// doorArg makes this program the door.
const doorArg = "door"

// runDoor serves the echo engine as any deployment is served. It tells its address and the
// engine's on stdout, until ctx ends. profile is the file of a CPU profile, or "".
func runDoor(ctx context.Context, profile string) error {
	if profile != "" {
		f, err := os.Create(profile) //nolint:gosec // the user's choice
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	d, err := spinup.New(
		&spinup.Options{Engines: map[string]engine.Engine{"echo": echo{}}, Logger: slog.New(slog.DiscardHandler), Drain: time.Second},
		&spinup.LLMConfig{
			LLMEngine:          "echo",
			ModelLoadingConfig: spinup.ModelLoadingConfig{ModelID: "m", ModelSource: spinup.From("examples/quickstart/model")},
		})
	if err != nil {
		return err
	}
	l, err := spinup.Listen(ctx, "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() {
		if d.Ready(ctx) != nil {
			return // Serve tells why
		}
		for s := range d.Timeline().All() {
			if s.Stage == lifecycle.StageReady {
				fmt.Fprintf(os.Stdout, "http://%s %s\n", l.Addr(), s.Message)
			}
		}
	}()
	return d.Serve(ctx, l)
}

// A process is a running door.
type process struct {
	cmd          *exec.Cmd
	url          string
	engine       string // the engine's own address
	destinations []destination
}

// A destination is where requests are sent in turns.
type destination struct{ name, url string }

func startDoor(ctx context.Context, profile string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, doorArg, profile) //nolint:gosec // this program
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	door, own, ok := strings.Cut(strings.TrimSpace(line), " ")
	p := &process{cmd: cmd, url: door, engine: own, destinations: []destination{{"engine alone", own}, {"through the door", door}}}
	if !ok {
		p.stop()
		return nil, errors.New("the door did not start: is this the top of the checkout?")
	}
	return p, nil
}

func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	_ = p.cmd.Wait() // that it was ended is no failure
}

// cpu is the user and system time of the door so far.
func (p *process) cpu() (time.Duration, error) { return bench.CPU(p.cmd.Process.Pid) }

// rss is the resident set of the door, in MB.
func (p *process) rss() (float64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		var kb float64
		if n, _ := fmt.Sscanf(line, "VmRSS: %f kB", &kb); n == 1 {
			return kb * 1024 / 1e6, nil
		}
	}
	return 0, errors.New("no VmRSS")
}
