package reference_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/engine/reference"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

// launcher lets a test do something between Check and the start.
type launcher struct {
	engine.Exec
	before func()
}

func (l launcher) Launch(ctx context.Context, cmd engine.Command) (engine.Handle, error) {
	l.before()
	return l.Exec.Launch(ctx, cmd)
}

func start(t *testing.T, spec engine.Spec, opts *engine.Options) *engine.Process {
	t.Helper()
	p, err := engine.Start(t.Context(), reference.Engine{}, spec, opts)
	require.NoError(t, err)
	t.Cleanup(func() { <-p.Done() })
	return p
}

// TestStages reads what the process says, as the host does.
func TestStages(t *testing.T) {
	t.Parallel()
	spec := engine.Spec{ModelID: "tiny", Dir: "testdata/llama", Addr: "127.0.0.1:0", Kwargs: map[string]any{"block_size": 16}}
	cmd, err := reference.Engine{}.Command(spec)
	require.NoError(t, err)
	h, err := engine.Exec{}.Launch(t.Context(), cmd)
	require.NoError(t, err)
	p := reference.Engine{}.NewParser(spec)
	var order []lifecycle.Stage
	messages := map[lifecycle.Stage]string{}
	var loaded, total int64
	for lines := bufio.NewScanner(h.Output()); lines.Scan(); {
		for _, e := range p.Parse(lines.Bytes()) {
			if e.Phase == lifecycle.Begin {
				order = append(order, e.Stage)
			}
			messages[e.Stage] += e.Message
			if e.Stage == lifecycle.StageLoadWeights && e.Phase == lifecycle.Progress {
				require.Greater(t, e.Done, loaded)
				loaded, total = e.Done, e.Total
			}
			if e.Stage == lifecycle.StageKVCache && e.Phase == lifecycle.End {
				require.NoError(t, h.Signal(syscall.SIGTERM))
			}
		}
	}
	exit, err := h.Wait()
	require.NoError(t, err)
	require.Zero(t, exit)
	require.Equal(t, []lifecycle.Stage{lifecycle.StageEngineConfig, lifecycle.StageLoadWeights, lifecycle.StageKVCache}, order)
	require.Contains(t, messages[lifecycle.StageEngineConfig], "ignored: block_size")
	require.Contains(t, messages[lifecycle.StageLoadWeights], "LlamaForCausalLM, 0.2 MB")
	require.Contains(t, messages[lifecycle.StageKVCache], "4 sequences of 2048 tokens")
	require.Positive(t, total)
	require.Equal(t, total, loaded)
}

// TestCauses: a failure in the process reaches the host as it was, not as an exit code.
func TestCauses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(dir string) error
		kind   lifecycle.Kind
		want   string
	}{
		"a file goes": {
			func(dir string) error { return os.Remove(filepath.Join(dir, "model-00002-of-00002.safetensors")) },
			lifecycle.MissingFile, "model-00002-of-00002.safetensors",
		},
		"a file changes": {
			func(dir string) error { return os.WriteFile(filepath.Join(dir, "config.json"), []byte("{"), 0o600) },
			lifecycle.Invalid, "not a valid JSON file",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := folder(t, "llama", func(string) {})
			p := start(t, engine.Spec{ModelID: "tiny", Dir: dir}, &engine.Options{
				Launcher: launcher{before: func() { require.NoError(t, c.change(dir)) }},
			})
			err := p.Ready(t.Context())
			require.ErrorIs(t, err, c.kind)
			require.ErrorContains(t, err, c.want)
			e, ok := err.(*lifecycle.Error) //nolint:errorlint // the outermost is what users see
			require.True(t, ok)
			require.Equal(t, lifecycle.StageEngineConfig, e.Stage)
			require.NotEmpty(t, e.Hint)
		})
	}
}

func TestPortTaken(t *testing.T) {
	t.Parallel()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	cmd, err := reference.Engine{}.Command(engine.Spec{ModelID: "m", Dir: "testdata/llama", Addr: l.Addr().String()})
	require.NoError(t, err)
	h, err := engine.Exec{}.Launch(t.Context(), cmd)
	require.NoError(t, err)
	out, err := io.ReadAll(h.Output())
	require.NoError(t, err)
	exit, err := h.Wait()
	require.NoError(t, err)
	require.Equal(t, 1, exit)
	p := reference.Engine{}.NewParser(engine.Spec{})
	p.Parse([]byte(strings.TrimSpace(string(out))))
	require.ErrorContains(t, p.Explain(exit), "choose another host:port")
}

func TestBadArguments(t *testing.T) {
	t.Parallel()
	cmd, err := reference.Engine{}.Command(engine.Spec{ModelID: "m", Dir: "testdata/llama", Addr: "127.0.0.1:0"})
	require.NoError(t, err)
	for _, args := range [][]string{{"-nosuch"}, {"-options", "{"}} {
		cmd.Args = append(cmd.Args[:1:1], args...)
		h, err := engine.Exec{}.Launch(t.Context(), cmd)
		require.NoError(t, err)
		out, err := io.ReadAll(h.Output())
		require.NoError(t, err)
		exit, err := h.Wait()
		require.NoError(t, err)
		require.Equal(t, 2, exit)
		require.Contains(t, string(out), `"target":"arguments"`)
	}
}

// TestSignals: a signal to stop ends the engine with 0, also while it loads.
func TestSignals(t *testing.T) {
	t.Parallel()
	for _, sig := range []os.Signal{syscall.SIGTERM, os.Interrupt} {
		for _, until := range []string{"engine_config", "kv_cache"} {
			cmd, err := reference.Engine{}.Command(engine.Spec{ModelID: "m", Dir: quickstart, Addr: "127.0.0.1:0"})
			require.NoError(t, err)
			h, err := engine.Exec{}.Launch(t.Context(), cmd)
			require.NoError(t, err)
			lines := bufio.NewScanner(h.Output())
			for lines.Scan() && !strings.Contains(lines.Text(), until) {
				continue
			}
			require.NoError(t, h.Signal(sig))
			for lines.Scan() {
				require.NotContains(t, lines.Text(), "fail")
			}
			exit, err := h.Wait()
			require.NoError(t, err)
			require.Zero(t, exit, "%v after %s", sig, until)
		}
	}
}

// TestStopDrains: a request in flight ends when the engine is asked to stop, and then the
// engine.
func TestStopDrains(t *testing.T) {
	t.Parallel()
	p := start(t, engine.Spec{ModelID: "tiny", Dir: "testdata/llama"}, nil)
	require.NoError(t, p.Ready(t.Context()))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.Endpoint().String()+"/v1/completions",
		strings.NewReader(`{"prompt": "a", "max_tokens": 300, "ignore_eos": true, "stream": true}`))
	require.NoError(t, err)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body := bufio.NewReader(resp.Body)
	_, err = body.ReadString('\n')
	require.NoError(t, err)
	stopped := make(chan error, 1)
	go func() { stopped <- p.Stop(t.Context()) }()
	rest, err := io.ReadAll(body)
	require.NoError(t, err)
	require.True(t, strings.HasSuffix(string(rest), "data: [DONE]\n\n"))
	require.NoError(t, <-stopped)
	require.NoError(t, p.Err())
}

// TestCommand pins what other launchers and operators see.
func TestCommand(t *testing.T) {
	t.Parallel()
	dir, err := filepath.Abs("testdata/llama")
	require.NoError(t, err)
	cmd, err := reference.Engine{}.Command(engine.Spec{
		ModelID: "org/tiny", Dir: "testdata/llama", Addr: "0.0.0.0:8000", CPUs: []int{2, 3}, Env: lifecycle.EnvVars{"TOKEN": "secret"},
		Kwargs: map[string]any{"max_model_len": 256, "seed": -1, "enforce_eager": true},
	})
	require.NoError(t, err)
	require.Equal(t, []string{
		"spinup-reference-engine", "-id", "org/tiny", "-dir", dir, "-addr", "0.0.0.0:8000", "-options", `{"max_model_len":256,"seed":-1}`,
	}, cmd.Args)
	require.Equal(t, "2", cmd.Env["GOMAXPROCS"])
	require.Equal(t, "secret", cmd.Env["TOKEN"])
	require.Equal(t, "/health", cmd.ReadyPath)
	var warmup map[string]any
	require.NoError(t, json.Unmarshal(cmd.Warmup.Body, &warmup))
	require.Equal(t, "org/tiny", warmup["model"])
	require.InDelta(t, 1, warmup["max_tokens"], 0)
}

// TestSeed: a seed in the options makes answers repeatable across processes.
func TestSeed(t *testing.T) {
	t.Parallel()
	sample := func() string {
		p := start(t, engine.Spec{ModelID: "tiny", Dir: "testdata/llama", Kwargs: map[string]any{"seed": 5, "max_num_seqs": 1}}, nil)
		require.NoError(t, p.Ready(t.Context()))
		defer func() { require.NoError(t, p.Stop(t.Context())) }()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.Endpoint().String()+"/v1/completions",
			strings.NewReader(`{"prompt": "a", "max_tokens": 20, "temperature": 2}`))
		require.NoError(t, err)
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		resp, err := client.Do(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		var a struct{ Choices []struct{ Text string } }
		require.NoError(t, json.NewDecoder(resp.Body).Decode(&a))
		return a.Choices[0].Text
	}
	first := sample()
	require.Equal(t, first, sample())
}
