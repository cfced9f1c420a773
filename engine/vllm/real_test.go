package vllm_test

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/engine/vllm"
	"github.com/spinup-llm/spinup/internal/guardian"
	"github.com/spinup-llm/spinup/internal/randmodel"
	"github.com/spinup-llm/spinup/internal/testenv"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// What we read from the sources is what the program itself says, kinds included.
func TestOptionsAreThoseOfTheProgram(t *testing.T) {
	t.Parallel()
	program := testenv.VLLM(t)
	cmd := exec.CommandContext(t.Context(), program, "serve", "--help=all")
	out, err := cmd.Output()
	require.NoError(t, err)
	told := helpOptions(string(out))
	delete(told, "help")
	require.Greater(t, len(told), 100)
	read := vllm.Options(program)
	require.Equal(t, slices.Sorted(maps.Keys(told)), slices.Sorted(maps.Keys(read)))
	for name, form := range told {
		require.Equal(t, form, read[name], name)
	}
}

var helpHead = regexp.MustCompile(`(?m)^  (-[^\n]*?)(?:  |$)`)

// helpOptions reads the forms of options from a help text: "--x, --no-x", "--x X [X ...]".
func helpOptions(help string) map[string]string {
	found := map[string]string{}
	for _, m := range helpHead.FindAllStringSubmatch(help, -1) {
		form := "value"
		switch {
		case strings.Contains(m[1], "--no-"):
			form = "bool"
		case strings.Contains(m[1], "..."):
			form = "list"
		case regexp.MustCompile(`--[\w-]+ \[[^ ]+\]$`).MatchString(m[1]):
			form = "optional"
		case !regexp.MustCompile(`--[\w-]+ \S`).MatchString(m[1]):
			form = "switch"
		}
		for _, name := range regexp.MustCompile(`--([a-z][\w-]*)`).FindAllStringSubmatch(m[1], -1) {
			if !strings.HasPrefix(name[1], "no-") {
				found[strings.ReplaceAll(name[1], "-", "_")] = form
			}
		}
	}
	return found
}

func TestRealStartTellsItsStages(t *testing.T) {
	t.Parallel()
	e := vllm.Engine{Path: testenv.VLLM(t)}
	spec := onOneCore(model(t, randmodel.Options{Shards: 4}))
	spec.Env["CANARY"] = "canary-5d1f"
	require.NoError(t, e.Check(spec))
	p, err := engine.Start(t.Context(), e, spec, nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, p.Stop(context.WithoutCancel(t.Context()))) }()
	require.NoError(t, p.Ready(t.Context()))

	require.NotEmpty(t, chat(t, p))
	var events []lifecycle.Event
	for ev := range p.Events(t.Context()) {
		require.NotContains(t, ev.Message, "canary-5d1f")
		if events = append(events, ev); ev.Stage == lifecycle.StageReady && ev.Phase == lifecycle.End {
			break
		}
	}
	tl := lifecycle.TimelineOf(slices.Values(events))
	var stages []lifecycle.Stage
	for s := range tl.All() {
		if s.Stage != lifecycle.StageCheck { // before there is a process
			stages = append(stages, s.Stage)
		}
	}
	require.Equal(t, []lifecycle.Stage{
		lifecycle.StagePreload, lifecycle.StageEngineConfig, vllm.StageStartWorkers, lifecycle.StageLoadWeights,
		lifecycle.StageKVCache, vllm.StageStartServer, lifecycle.StageWarmup, lifecycle.StageReady,
	}, stages)
	require.True(t, slices.ContainsFunc(events, func(ev lifecycle.Event) bool {
		return ev.Stage == lifecycle.StageLoadWeights && ev.Done == 4 && ev.Total == 4
	}), "shards are counted")
	require.Zero(t, tl.Unattributed(""))
}

// chat asks for an answer and returns its text.
func chat(t *testing.T, p *engine.Process) string {
	t.Helper()
	body := `{"model":"tiny","messages":[{"role":"user","content":"hi"}],"max_tokens":8,"temperature":0,"ignore_eos":true}`
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.Endpoint().JoinPath("v1/chat/completions").String(), strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode, string(data))
	var answer struct {
		Choices []struct{ Message struct{ Content string } }
	}
	require.NoError(t, json.Unmarshal(data, &answer))
	require.NotEmpty(t, answer.Choices)
	return answer.Choices[0].Message.Content
}

// Failures that only vLLM itself can see. The end is seen before the process is gone.
func TestRealFailuresAreExplained(t *testing.T) {
	t.Parallel()
	e := vllm.Engine{Path: testenv.VLLM(t)}
	for name, c := range map[string]struct {
		kwargs map[string]any
		kind   lifecycle.Kind
		hint   string
	}{
		"a value that the option refuses": {map[string]any{"dtype": "float17"}, lifecycle.Invalid, "value"},
		"an unknown quantization":         {map[string]any{"quantization": "nosuch"}, lifecycle.Invalid, "quantization"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := onOneCore(model(t, randmodel.Options{}))
			maps.Copy(spec.Kwargs, c.kwargs)
			p, err := engine.Start(t.Context(), e, spec, nil)
			require.NoError(t, err)
			<-p.Done()
			require.ErrorIs(t, p.Err(), c.kind)
			require.ErrorContains(t, p.Err(), c.hint)
		})
	}
}

// Processes are killed at several points of a start; the end is seen at once, though vLLM
// itself takes seconds to end, with code 0 once it serves.
func TestRealDeathsAreSeen(t *testing.T) {
	t.Parallel()
	e := vllm.Engine{Path: testenv.VLLM(t)}
	for name, c := range map[string]struct {
		stage  lifecycle.Stage // to wait for
		victim string          // a part of its command line
		within time.Duration
	}{
		"core while importing":   {vllm.StageStartWorkers, "multiprocessing.spawn", 3 * time.Second},
		"worker while importing": {"", "", 3 * time.Second},
		"core while serving":     {lifecycle.StageReady, "VLLM::EngineCore", 3 * time.Second},
		"worker while serving":   {lifecycle.StageReady, "VLLM::Worker", 3 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var launched spy
			p, err := engine.Start(t.Context(), e, onOneCore(model(t, randmodel.Options{})), &engine.Options{Launcher: &launched})
			require.NoError(t, err)
			var victim int
			if c.stage == "" {
				core := launched.await(t, "VLLM::EngineCore", 0)
				victim = launched.await(t, "multiprocessing.spawn", core)
			} else {
				awaitStage(t, p, c.stage)
				victim = launched.await(t, c.victim, 0)
			}
			require.NoError(t, syscall.Kill(victim, syscall.SIGKILL))
			select {
			case <-p.Down():
			case <-time.After(c.within):
				require.Fail(t, "the death was not seen in time")
			}
			<-p.Done()
			require.ErrorIs(t, p.Err(), lifecycle.EngineFailed)
			t.Log(p.Err())
		})
	}
}

func awaitStage(t *testing.T, p *engine.Process, stage lifecycle.Stage) {
	t.Helper()
	for e := range p.Events(t.Context()) {
		if e.Stage == stage {
			return
		}
	}
	require.Fail(t, "the process ended before", "%s: %v", stage, p.Err())
}

// spy is a launcher that remembers the command's process.
type spy struct {
	engine.Exec
	pid int
}

func (s *spy) Launch(ctx context.Context, cmd engine.Command) (engine.Handle, error) {
	h, err := s.Exec.Launch(ctx, cmd)
	if err == nil {
		s.pid, err = strconv.Atoi(h.ID())
	}
	return h, err
}

// await returns the process below the command, or below another one, whose command line
// contains text, once it is there.
func (s *spy) await(t *testing.T, text string, below int) int {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		for _, p := range guardian.Family(cmp.Or(below, s.pid)) {
			line, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.PID), "cmdline"))
			if err == nil && strings.Contains(string(line), text) && p.PID != below {
				return p.PID
			}
		}
		select {
		case <-tick.C:
		case <-t.Context().Done():
			require.Fail(t, "no such process", text)
		}
	}
}
