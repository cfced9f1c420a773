package sglang_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/engine/sglang"
	"github.com/spinup-llm/spinup/internal/guardian"
	"github.com/spinup-llm/spinup/internal/testenv"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

// What we read from the sources is what the program itself says, kinds included.
func TestOptionsAreThoseOfTheProgram(t *testing.T) {
	t.Parallel()
	program := testenv.SGLang(t)
	cmd := exec.CommandContext(t.Context(), program, "serve", "--help")
	cmd.Env = []string{"PATH=" + filepath.Dir(program) + ":" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "SGLANG_USE_CPU_ENGINE=1", "COLUMNS=10000"}
	help, err := cmd.Output()
	require.NoError(t, err)
	read := sglang.Engine{Path: program}.Options()
	told := 0
	for _, m := range regexp.MustCompile(`(?m)^  (-.*?)(?:  |$)`).FindAllStringSubmatch(string(help), -1) {
		form := "value"
		switch {
		case strings.Contains(m[1], "--no-"):
			form = "bool"
		case strings.Contains(m[1], " ...]"):
			form = "list"
		case !regexp.MustCompile(`--[\w-]+ \S`).MatchString(strings.ReplaceAll(m[1], ", --", ",--")):
			form = "switch"
		}
		for _, name := range regexp.MustCompile(`--([a-z][\w-]*)`).FindAllStringSubmatch(m[1], -1) {
			if name[1] != "help" && !strings.HasPrefix(name[1], "no-") {
				told++
				require.Equal(t, form, read[strings.ReplaceAll(name[1], "-", "_")], m[1])
			}
		}
	}
	require.Greater(t, told, 300)
}

// A start tells its stages, the answer is the one that the embedded engine gives, the load
// is told, and the end of the scheduler is seen at once.
func TestRealStart(t *testing.T) {
	t.Parallel()
	e := sglang.Engine{Path: testenv.SGLang(t)}
	spec := kwargs("max_total_tokens", 4096)
	spec.CPUs = []int{0}
	launcher := &noted{}
	p, err := engine.Start(t.Context(), e, spec, &engine.Options{Launcher: launcher})
	require.NoError(t, err)
	defer func() { _ = p.Stop(context.WithoutCancel(t.Context())) }()
	require.NoError(t, p.Ready(t.Context()))
	require.NoError(t, p.Alive(t.Context()))
	require.Equal(t, "spinup is a Go library that takes a language model from a configuration to its first token, and then keeps it served.",
		chat(t, p, "What is spinup?"))
	load, err := p.Load(t.Context(), e)
	require.NoError(t, err)
	require.Equal(t, 0, load.Running)

	var events []lifecycle.Event
	for e := range p.Events(t.Context()) {
		if events = append(events, e); e.Stage == lifecycle.StageReady && e.Phase == lifecycle.End {
			break
		}
	}
	tl := lifecycle.TimelineOf(slices.Values(events))
	var stages []string
	for s := range tl.All() {
		stages = append(stages, string(s.Stage))
	}
	require.Equal(t, "check preload "+onCPUStages+" warmup ready", strings.Join(stages, " "))
	require.Zero(t, tl.Unattributed(""))

	killScheduler(t, launcher.pid)
	select {
	case <-p.Down():
	case <-time.After(30 * time.Second):
		require.Fail(t, "the death was not seen in time")
	}
	<-p.Done()
	require.ErrorContains(t, p.Err(), "sglang::scheduler")
}

// noted is a launcher that remembers the process.
type noted struct {
	engine.Exec
	pid int
}

func (n *noted) Launch(ctx context.Context, cmd engine.Command) (engine.Handle, error) {
	h, err := n.Exec.Launch(ctx, cmd)
	if err == nil {
		n.pid, err = strconv.Atoi(h.ID())
	}
	return h, err
}

func killScheduler(t *testing.T, pid int) {
	t.Helper()
	for _, member := range guardian.Family(pid) {
		line, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(member.PID), "cmdline"))
		if strings.HasPrefix(string(line), "sglang::scheduler") {
			process, err := os.FindProcess(member.PID)
			require.NoError(t, err)
			require.NoError(t, process.Kill())
			return
		}
	}
	require.Fail(t, "no scheduler runs")
}

func chat(t *testing.T, p *engine.Process, question string) string {
	t.Helper()
	body, err := json.Marshal(map[string]any{
		"model": "tiny", "temperature": 0, "max_tokens": 64, "messages": []any{map[string]any{"role": "user", "content": question}},
	})
	require.NoError(t, err)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.Endpoint().JoinPath("v1/chat/completions").String(), strings.NewReader(string(body)))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	var answer struct {
		Choices []struct{ Message struct{ Content string } }
	}
	require.NoError(t, json.Unmarshal(text, &answer), string(text))
	require.NotEmpty(t, answer.Choices, string(text))
	return answer.Choices[0].Message.Content
}
