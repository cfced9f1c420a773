// Package testserver runs servers that others wrote beside a test.
//
//	stop := testserver.Start(t, func(ctx context.Context, addr *net.TCPAddr) (*exec.Cmd, string) {
//		return exec.CommandContext(ctx, program, "-port", fmt.Sprint(addr.Port)), "/health"
//	})
package testserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Start runs what command makes for a free address of loopback, and returns when a GET of
// the path that it names is answered. The server gets a short PATH, a HOME of its own, and what
// of the environment the command has. It ends with the test, with the test's process, or by
// stop, which may be called again.
func Start(tb testing.TB, command func(ctx context.Context, addr *net.TCPAddr) (cmd *exec.Cmd, path string)) (stop func()) {
	tb.Helper()
	var err error
	for range 5 { // an address that was free may be taken before the server has it
		if stop, err = start(tb, command); err == nil {
			tb.Cleanup(stop)
			return stop
		}
	}
	tb.Fatalf("testserver: %v", err)
	return nil
}

func start(tb testing.TB, command func(context.Context, *net.TCPAddr) (*exec.Cmd, string)) (stop func(), err error) {
	tb.Helper()
	addr := free(tb)
	ctx, cancel := context.WithCancel(context.WithoutCancel(tb.Context()))
	cmd, path := command(ctx, addr)
	cmd.SysProcAttr = diesWithParent()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.Env = append([]string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + tb.TempDir()}, cmd.Env...)
	if err := cmd.Start(); err != nil {
		cancel()
		return nil, err
	}
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait() // the server is killed in the end
		close(exited)
	}()
	stop = func() {
		cancel()
		<-exited
	}
	if err := answers(ctx, "http://"+addr.String()+path, exited); err != nil {
		stop()
		return nil, fmt.Errorf("%w\n%s", err, out.String())
	}
	return stop, nil
}

func answers(ctx context.Context, at string, exited <-chan struct{}) error {
	tick, limit := time.NewTicker(20*time.Millisecond), time.NewTimer(time.Minute)
	defer tick.Stop()
	defer limit.Stop()
	for {
		select {
		case <-exited:
			return errors.New("the server exited")
		case <-limit.C:
			return errors.New("the server did not answer in a minute")
		case <-tick.C:
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, http.NoBody)
		if err != nil {
			return err
		}
		transport := &http.Transport{DisableKeepAlives: true}
		if res, err := transport.RoundTrip(req); err == nil {
			return res.Body.Close()
		}
	}
}

func free(tb testing.TB) *net.TCPAddr {
	tb.Helper()
	l, err := new(net.ListenConfig).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	require.NoError(tb, err)
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr)
}
