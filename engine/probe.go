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
	client := newClient()
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
			p.output.catchUp(ctx)
			p.stages.seal()
			return true
		}
		timer.Reset(delay)
	}
}

func answers(ctx context.Context, client *http.Client, url string) bool {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	r, err := request(ctx, client, http.MethodGet, url, nil)
	return err == nil && r.status == http.StatusOK
}

func (p *Process) warmup(ctx context.Context, client *http.Client) error {
	w := p.command.Warmup
	r, err := request(ctx, client, http.MethodPost, p.url.String()+w.Path, w.Body)
	if err != nil {
		return p.warmupError(err)
	}
	if r.status/100 != 2 {
		return p.warmupError(fmt.Errorf("%d %s: %s", r.status, http.StatusText(r.status), errorMessage(r.body)))
	}
	return nil
}

// newClient returns a client for the engine alone: without proxy, as the engine is ours.
func newClient() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// reply is an answer, its body cut at 1 MiB.
type reply struct {
	status int
	body   []byte
}

// request sends body, which is JSON, and reads the whole answer.
func request(ctx context.Context, client *http.Client, method, url string, body []byte) (reply, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return reply{status: resp.StatusCode, body: text}, err
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
