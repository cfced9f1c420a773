package enginetest

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/internal/guardian"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

// Package engine promises "at once". Here the machine may have other things to do, and what
// breaks the promise takes for ever.
const (
	seenWithin = 30 * time.Second
	goneWithin = 30 * time.Second
)

func (c Config) process(t *testing.T) {
	t.Parallel()
	t.Run("stop while starting", c.stopWhileStarting)
	t.Run("context ends while starting", c.contextEnds)
	t.Run("two serve, one stops, one is killed", c.twoServe)
}

func (c Config) stopWhileStarting(t *testing.T) {
	t.Parallel()
	r := c.start(t.Context(), t)
	require.NoError(t, r.Stop(t.Context()))
	require.NoError(t, r.Err(), "a requested stop is no error")
	require.ErrorIs(t, r.Ready(t.Context()), lifecycle.Canceled)
	r.requireGone(t)
}

func (c Config) contextEnds(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	r := c.start(ctx, t)
	because := errors.New("the test is over")
	cancel(because)
	<-r.Done() // a quick engine may serve before the end is noticed
	require.ErrorIs(t, r.Ready(t.Context()), because)
	r.requireGone(t)
}

func (c Config) twoServe(t *testing.T) {
	t.Parallel()
	a, b := c.start(t.Context(), t), c.start(t.Context(), t)
	for _, r := range []*running{a, b} {
		require.NoError(t, r.Ready(t.Context()))
		r.requireAlive(t, r.launcher.cmd.AlivePath)
		c.answer(t, r.Endpoint())
	}
	require.NotEqual(t, a.Endpoint().Host, b.Endpoint().Host)
	a.look()
	require.NoError(t, a.Stop(t.Context()))
	require.NoError(t, a.Err())
	a.requireGone(t)
	requireAttributed(t, slices.Collect(a.Events(t.Context())))
	c.answer(t, b.Endpoint())

	b.look()
	b.kill(t)
	select {
	case <-b.Down():
	case <-time.After(seenWithin):
		require.Fail(t, "the death was not seen in time")
	}
	<-b.Done()
	require.ErrorIs(t, b.Err(), lifecycle.EngineFailed)
	requireHelpful(t, b.Err(), "kill -9")
	b.requireGone(t)
	requireAttributed(t, slices.Collect(b.Events(t.Context())))
}

// requireAttributed wants every moment of a start to belong to a stage.
func requireAttributed(t *testing.T, events []lifecycle.Event) {
	t.Helper()
	tl := lifecycle.TimelineOf(slices.Values(events))
	require.Positive(t, tl.Startup(""))
	require.Zero(t, tl.Unattributed(""), "every second belongs to a stage")
}

// running is a process with what it has descended to.
type running struct {
	*engine.Process
	launcher *spy
	family   []guardian.Process
}

func (c Config) start(ctx context.Context, t *testing.T) *running {
	t.Helper()
	opts, s := c.options()
	p, err := engine.Start(ctx, c.Engine, c.Spec, opts)
	require.NoError(t, err)
	r := &running{Process: p, launcher: s}
	r.look()
	t.Cleanup(func() { <-p.Done() }) // t's context has ended by then
	return r
}

// options are those of the starts, with a spy in front of the launcher.
func (c Config) options() (*engine.Options, *spy) {
	var opts engine.Options
	if c.Options != nil {
		opts = *c.Options
	}
	s := &spy{Launcher: opts.Launcher}
	if s.Launcher == nil {
		s.Launcher = engine.Exec{}
	}
	opts.Launcher = s
	return &opts, s
}

// look remembers the processes of an engine that runs on this machine.
func (r *running) look() {
	if pid, err := strconv.Atoi(r.launcher.handle().ID()); err == nil {
		r.family = append(r.family, guardian.Family(pid)...)
	}
}

func (r *running) requireGone(t *testing.T) {
	t.Helper()
	var left []int
	for end := time.Now().Add(goneWithin); time.Now().Before(end); {
		left = nil
		for _, p := range r.family {
			if p.Alive() {
				left = append(left, p.PID)
			}
		}
		if len(left) == 0 {
			return
		}
		<-time.After(10 * time.Millisecond)
	}
	require.Empty(t, left, "processes of the engine live on")
}

// requireAlive asks what a health check would.
func (r *running) requireAlive(t *testing.T, path string) {
	t.Helper()
	status, _ := ask(t, http.MethodGet, r.Endpoint().String()+path, "")
	require.Equal(t, http.StatusOK, status, "AlivePath")
}

// kill ends the command alone, as the system would.
func (r *running) kill(t *testing.T) {
	t.Helper()
	require.NoError(t, r.launcher.handle().Signal(os.Kill))
}

func (c Config) answer(t *testing.T, base *url.URL) {
	t.Helper()
	if c.Answer != nil {
		c.Answer(t, base)
		return
	}
	request, err := json.Marshal(map[string]any{"model": c.Spec.ModelID, "prompt": "Hello", "max_tokens": 1})
	require.NoError(t, err)
	status, body := ask(t, http.MethodPost, base.String()+"/v1/completions", string(request))
	require.Equal(t, http.StatusOK, status, body)
	var answer struct{ Choices []struct{ Text *string } }
	require.NoError(t, json.Unmarshal([]byte(body), &answer), body)
	require.NotEmpty(t, answer.Choices, body)
	require.NotNil(t, answer.Choices[0].Text, body)
}

func ask(t *testing.T, method, to, body string) (status int, answer string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, to, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(text)
}

// spy is a launcher that remembers.
type spy struct {
	engine.Launcher
	mu  sync.Mutex
	h   engine.Handle
	cmd engine.Command
}

func (s *spy) Launch(ctx context.Context, cmd engine.Command) (engine.Handle, error) {
	h, err := s.Launcher.Launch(ctx, cmd)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.h, s.cmd = h, cmd
	return h, err
}

func (s *spy) handle() engine.Handle {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.h
}
