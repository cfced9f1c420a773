//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spinup-llm/spinup/internal/bench"
	"github.com/spinup-llm/spinup/internal/bench/download/servers"
)

// A result is one start: seconds and bytes.
type result struct {
	wall, cpu float64
	memory    int64
	bytes     int64

	// Of ours alone, from its timeline.
	left         rest
	timeline     float64 // from its first event to ready
	unattributed float64 // per cent of it
	path         string  // the critical one
}

const (
	lookEvery = 50 * time.Millisecond // at CPU times
	weighed   = 10                    // looks until memory is looked at, too
	askEvery  = 10 * time.Millisecond // for the first token, where the answer is no token
	askWithin = 5 * time.Second       // for it, where there is no answer; what hangs is not forever
)

// start brings a contestant up, asks for a token, and ends it.
func (l *lab) start(ctx context.Context, srv *servers.Server, k *contestant) (res result, err error) {
	ctx, cancel := context.WithTimeout(ctx, l.limit)
	defer cancel()
	if err = os.MkdirAll(k.home, 0o750); err != nil {
		return res, err
	}
	sent, began, before := bench.Written(srv.PID), time.Now(), 0.0
	p, err := l.launch(ctx, k)
	if err != nil {
		return res, err
	}
	if k.standby {
		victim, failed := p.serving(ctx, l.addr)
		if failed != nil {
			return res, errors.Join(failed, p.end())
		}
		sent, began, before = bench.Written(srv.PID), time.Now(), bench.TreeCPU(p.cmd.Process.Pid).Seconds()
		_ = syscall.Kill(victim, syscall.SIGKILL) // where it has ended by itself, that counts
	}
	watch := newWatch(p.cmd.Process.Pid, began)
	err = p.firstToken(ctx, l.addr)
	end := time.Now()
	looks, memory := watch.stop()
	if err == nil {
		res = result{wall: end.Sub(began).Seconds(), cpu: looks[len(looks)-1].cpu - before, memory: memory, bytes: bench.Written(srv.PID) - sent}
		if k.ours {
			err = res.explain(ctx, l.addr, looks, end)
		}
	}
	return res, errors.Join(err, p.end())
}

// A program is a contestant that runs, in its cage.
type program struct {
	cmd    *exec.Cmd
	input  io.Closer
	log    string
	exited chan struct{}
}

func (l *lab) launch(ctx context.Context, k *contestant) (*program, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &program{log: filepath.Join(l.work, "log"), exited: make(chan struct{})}
	log, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	p.cmd = exec.CommandContext(context.WithoutCancel(ctx), self, append([]string{cageArg}, k.argv...)...) //nolint:gosec // this program
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = k.env, log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // a terminal's interrupt is for us: we end it
	if p.input, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait() // it is ended by us, or the request tells
		close(p.exited)
	}()
	return p, nil
}

// end returns when nothing is left.
func (p *program) end() error {
	_ = p.input.Close()
	select {
	case <-p.exited:
		return nil
	case <-time.After(4 * patience):
		return errors.New("processes are left")
	}
}

// firstToken returns when the program has answered with one.
func (p *program) firstToken(ctx context.Context, addr string) error {
	client := &http.Client{Transport: new(http.Transport), Timeout: askWithin}
	defer client.CloseIdleConnections()
	for {
		said, err := ask(ctx, client, addr)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w; last answer: %s\n%s", ctx.Err(), said, p.tail())
		case <-p.exited:
			return fmt.Errorf("the program has ended\n%s", p.tail())
		case <-time.After(askEvery):
		}
	}
}

// ask requests a chat completion of one token.
func ask(ctx context.Context, client *http.Client, addr string) (said string, err error) {
	body := `{"model":"` + model + `","messages":[{"role":"user","content":"Hello"}],"max_tokens":1}`
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return err.Error(), err
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(resp.Body)
	if err == nil && (resp.StatusCode != http.StatusOK || !bytes.Contains(data, []byte(`"completion_tokens":1`))) {
		err = errors.New(resp.Status)
	}
	return resp.Status + " " + string(data), err
}

// tail is the end of what the program has said.
func (p *program) tail() string {
	data, err := os.ReadFile(p.log)
	if err != nil {
		return ""
	}
	return string(data[max(0, len(data)-3000):])
}
