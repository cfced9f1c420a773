package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spinup-llm/spinup/lifecycle"
)

// ReadyPath is asked often at first and after each event, then rarely.
const (
	askSoon   = 5 * time.Millisecond
	askLate   = 100 * time.Millisecond
	askWithin = 5 * time.Second
)

// probe waits until the engine says that it serves, and then warms it up. It returns nil
// also when ctx ends.
func (p *Process) probe(ctx context.Context) error {
	client := &http.Client{
		Transport:     &http.Transport{}, // no proxy: the engine is ours
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	defer client.CloseIdleConnections()
	if !p.await(ctx, client) || p.command.Warmup == nil {
		return nil
	}
	p.stages.begin(lifecycle.StageWarmup, "first request")
	return p.warmup(ctx, client)
}

// await reports false when ctx has ended.
func (p *Process) await(ctx context.Context, client *http.Client) bool {
	url := p.url.String() + p.command.ReadyPath
	timer := time.NewTimer(0)
	defer timer.Stop()
	for delay := askSoon; ; delay = min(delay*3/2, askLate) {
		select {
		case <-ctx.Done():
			return false
		case <-p.stages.woken:
			delay = askSoon
		case <-timer.C:
		}
		if answers(ctx, client, url) {
			p.stages.seal()
			return true
		}
		timer.Reset(delay)
	}
}

func answers(ctx context.Context, client *http.Client, url string) bool {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return false
	}
	resp, err := client.Do(req)
	if err != nil {
		return false
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
	return resp.StatusCode == http.StatusOK
}

func (p *Process) warmup(ctx context.Context, client *http.Client) error {
	w := p.command.Warmup
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url.String()+w.Path, bytes.NewReader(w.Body))
	if err != nil {
		return p.warmupError(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return p.warmupError(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return p.warmupError(err)
	}
	if resp.StatusCode/100 != 2 {
		return p.warmupError(fmt.Errorf("%s: %s", resp.Status, errorMessage(body)))
	}
	return nil
}

func (p *Process) warmupError(err error) error {
	return &lifecycle.Error{
		Kind: lifecycle.EngineFailed, Stage: lifecycle.StageWarmup, Err: fmt.Errorf("the first request failed: %w", err),
		Hint: "the engine runs but cannot answer: look for the cause in its output, and try the request by hand",
	}
}

// errorMessage finds the message in an OpenAI-shaped body, else returns the body.
func errorMessage(body []byte) string {
	var openai struct {
		Error   struct{ Message string }
		Message string
	}
	_ = json.Unmarshal(body, &openai) // what is no JSON is shown as it is
	for _, s := range []string{openai.Error.Message, openai.Message} {
		if s != "" {
			return shown(s)
		}
	}
	return shown(strings.TrimSpace(string(body)))
}
