package llamacpp_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/engine/llamacpp"
	"github.com/spinup-llm/spinup/internal/testenv"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

// The list of options is what the program itself says.
func TestOptionsAreThoseOfTheProgram(t *testing.T) {
	t.Parallel()
	help, err := exec.CommandContext(t.Context(), testenv.LlamaServer(t), "--help").Output()
	require.NoError(t, err)
	require.Equal(t, optionsOf(string(help)), llamacpp.OptionList, "options.txt")
}

var helpHead = regexp.MustCompile(`(?m)^(-[^-\n].*|--[^-\n].*)$`)

// optionsOf writes options.txt of a help text: in its first 40 columns stand the names and
// what follows them, such as "-c, --ctx-size N".
func optionsOf(help string) string {
	kinds := map[string][]string{}
	for _, head := range helpHead.FindAllString(help, -1) {
		if len(head) > 40 && head[39] == ' ' {
			head = head[:40]
		}
		words := strings.Fields(head)
		end := slices.IndexFunc(words, func(w string) bool { return !strings.HasPrefix(w, "-") })
		kind := "value"
		switch {
		case end < 0:
			kind, end = "flag", len(words)
		case strings.HasPrefix(words[end], "[on"):
			kind = "onoff"
		case strings.Join(words[end:], " ") == "START END":
			kind = "pair"
		}
		for _, word := range words[:end] {
			if name, is := strings.CutPrefix(strings.TrimSuffix(word, ","), "--"); is {
				kinds[kind] = append(kinds[kind], strings.ReplaceAll(name, "-", "_"))
			}
		}
	}
	var out strings.Builder
	for _, kind := range []string{"flag", "onoff", "pair", "value"} {
		slices.Sort(kinds[kind])
		line := ""
		for _, name := range kinds[kind] {
			if len(line)+1+len(name) > 100 {
				out.WriteString(kind + line + "\n")
				line = ""
			}
			line += " " + name
		}
		out.WriteString(kind + line + "\n")
	}
	return out.String()
}

// A start tells its stages, the answer is the one that the embedded engine gives, and the
// load is told.
func TestRealStart(t *testing.T) {
	t.Parallel()
	e := llamacpp.Engine{Path: testenv.LlamaServer(t)}
	spec := kwargs(model(t, nil))
	spec.Env = lifecycle.EnvVars{"CANARY": "canary-77"}
	p, err := engine.Start(t.Context(), e, spec, nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, p.Stop(context.WithoutCancel(t.Context()))) }()
	require.NoError(t, p.Ready(t.Context()))
	require.NoError(t, p.Alive(t.Context()))
	require.Equal(t, "spinup is a Go library that takes a language model from a configuration to its first token, and then keeps it served.",
		chat(t, p, "What is spinup?"))
	load, err := p.Load(t.Context(), e)
	require.NoError(t, err)
	require.Equal(t, engine.Load{}, load)

	var events []lifecycle.Event
	for e := range p.Events(t.Context()) {
		if events = append(events, e); e.Stage == lifecycle.StageReady && e.Phase == lifecycle.End {
			break
		}
	}
	tl := lifecycle.TimelineOf(slices.Values(events))
	var stages []lifecycle.Stage
	for s := range tl.All() {
		stages = append(stages, s.Stage)
	}
	require.Equal(t, []lifecycle.Stage{
		lifecycle.StageCheck, lifecycle.StagePreload, lifecycle.StageLoadWeights, lifecycle.StageProfileMemory, lifecycle.StageLoadWeights,
		lifecycle.StageKVCache, llamacpp.StageEmptyRun, llamacpp.StageStartServer, lifecycle.StageWarmup, lifecycle.StageReady,
	}, stages)
	require.Zero(t, tl.Unattributed(""))
}

func chat(t *testing.T, p *engine.Process, question string) string {
	t.Helper()
	body, err := json.Marshal(map[string]any{
		"model": "tiny", "temperature": 0, "max_tokens": 64, "messages": []any{map[string]any{"role": "user", "content": question}},
	})
	require.NoError(t, err)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.Endpoint().JoinPath("v1/chat/completions").String(), strings.NewReader(string(body)))
	require.NoError(t, err)
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

// What the checks cannot see beforehand is told by its cause when it fails.
func TestRealFailures(t *testing.T) {
	t.Parallel()
	e := llamacpp.Engine{Path: testenv.LlamaServer(t)}
	dir := model(t, nil)
	for _, c := range []struct {
		option string
		value  any
		kind   lifecycle.Kind
		says   string
	}{
		{"cache_type_k", "q9", lifecycle.Invalid, "--cache-type-k"},
		{"chat_template", "{% for x %}", lifecycle.Invalid, "chat template"},
		{"override_kv", "general.architecture=str:nosuch", lifecycle.Invalid, "update llama.cpp"},
	} {
		p, err := engine.Start(t.Context(), e, kwargs(dir, c.option, c.value), nil)
		require.NoError(t, err)
		err = p.Ready(t.Context())
		require.ErrorIs(t, err, c.kind)
		require.ErrorContains(t, err, c.says)
		<-p.Done()
	}
}
