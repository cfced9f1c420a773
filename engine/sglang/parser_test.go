package sglang_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/engine/sglang"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

// feed parses text and returns the stages that it began.
func feed(t *testing.T, text []byte) (p engine.Parser, stages string) {
	t.Helper()
	p = sglang.Engine{Path: "sglang-of-a-pod"}.NewParser(engine.Spec{})
	var names []string
	for line := range bytes.FieldsFuncSeq(text, func(r rune) bool { return r == '\n' || r == '\r' }) {
		for _, e := range p.Parse(line) {
			if e.Phase == lifecycle.Begin {
				names = append(names, string(e.Stage))
			}
		}
	}
	return p, strings.Join(names, " ")
}

func recording(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	return text
}

const onCPUStages = "start_workers load_weights kv_cache start_server server_warmup"

// Recordings of SGLang 0.5.23 on a CPU.
func TestRecordedStarts(t *testing.T) {
	t.Parallel()
	p, stages := feed(t, recording(t, "logs/cpu-scheduler-killed.txt"))
	require.Equal(t, onCPUStages, stages)
	e := p.Explain(128 + 9)
	require.ErrorContains(t, e.Err, "Subprocess scheduler_0 (pid=7166) crashed with exit code -9")
	require.Contains(t, e.Hint, "memory")
}

// Not recorded: what two ranks on GPUs would say, written from the sources of 0.5.23.
func TestWrittenStartOnGPUs(t *testing.T) {
	t.Parallel()
	p, stages := feed(t, []byte(`[2026-01-01 00:00:00] server_args={'model_path': '/models/m'}
[2026-01-01 00:00:10 TP0] Load weight begin. avail mem=139.00 GB
[2026-01-01 00:00:10 TP1] Load weight begin. avail mem=139.00 GB
Loading safetensors checkpoint shards:  50% Completed | 2/4 [00:01<00:01,  1.5it/s]
[2026-01-01 00:00:20 TP0] Load weight end. elapsed=10.0 s, type=LlamaForCausalLM, avail mem=100.00 GB, mem usage=39.00 GB.
[2026-01-01 00:00:21 TP1] Load weight end. elapsed=11.0 s, type=LlamaForCausalLM, avail mem=100.00 GB, mem usage=39.00 GB.
[2026-01-01 00:00:22 TP0] KV Cache is allocated. dtype: torch.bfloat16, #tokens: 8192, K size: 10.00 GB, V size: 10.00 GB
[2026-01-01 00:00:22 TP1] Capture decode CUDA graph begin. This can take up to several minutes. avail mem=10.00 GB
[2026-01-01 00:00:22 TP0] Capture decode CUDA graph begin. This can take up to several minutes. avail mem=10.00 GB
[2026-01-01 00:00:32 TP0] Engine startup timings (s): load_weight=10.00
[2026-01-01 00:00:32 TP1] Engine startup timings (s): load_weight=11.00
[2026-01-01 00:00:33] INFO:     Uvicorn running on http://127.0.0.1:30000 (Press CTRL+C to quit)
`))
	require.Equal(t, "start_workers load_weights kv_cache capture_graphs start_server server_warmup", stages)
	p.Parse([]byte("[2026-01-01 00:00:40] The server is fired up and ready to roll!"))
	p.Parse([]byte("ValueError: a request that was wrong"))
	require.ErrorContains(t, p.Explain(1), "exit code 1", "an error of one request kills nobody")
	p.Parse([]byte("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB."))
	require.Equal(t, lifecycle.NoSpace, p.Explain(1).Kind)
}

func TestShardsAreCounted(t *testing.T) {
	t.Parallel()
	p := sglang.Engine{Path: "sglang-of-a-pod"}.NewParser(engine.Spec{})
	p.Parse([]byte("[2026-11-29 20:04:03] Load weight begin. avail mem=20.12 GB"))
	events := p.Parse([]byte("Multi-thread loading shards:  33% Completed | 1/3 [00:00<00:00,  8.37it/s]"))
	require.Equal(t, []lifecycle.Event{{Stage: lifecycle.StageLoadWeights, Phase: lifecycle.Progress, Done: 1, Total: 3}}, events)
}

// Recordings of SGLang 0.5.23 that fails, trimmed: the true cause's line and those around it.
func TestRecordedFailures(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct {
		kind              lifecycle.Kind
		target, say, hint string
	}{
		"unkflag":   {lifecycle.Invalid, "--no-such-flag", "unrecognized arguments", "remove it"},
		"badchoice": {lifecycle.Invalid, "--dtype", "invalid choice: 'float17'", "value"},
		"noweights": {lifecycle.MissingFile, "*.safetensors", "Cannot find any model weights", "safetensors"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, _ := feed(t, recording(t, "failures/"+name+".txt"))
			e := p.Explain(1)
			require.Equal(t, want.kind, e.Kind, "%v", e)
			require.Equal(t, want.target, e.Target, "%v", e)
			require.ErrorContains(t, e.Err, want.say)
			require.Contains(t, e.Hint, want.hint)
		})
	}
}

func TestExits(t *testing.T) {
	t.Parallel()
	for exit, want := range map[int]string{-1: "does not answer", 3: "exit code 3", 128 + 9: "killed", 128 + 11: "signal 11"} {
		require.ErrorContains(t, sglang.Engine{Path: "sglang-of-a-pod"}.NewParser(engine.Spec{}).Explain(exit), want)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("[2026-11-29 20:04:03] Load weight end. elapsed=0.16 s\nSubprocess scheduler_0 (pid=7166) crashed with exit code -9")
	f.Fuzz(func(_ *testing.T, text string) {
		p := sglang.Engine{Path: "sglang-of-a-pod"}.NewParser(engine.Spec{})
		for line := range strings.SplitSeq(text, "\n") {
			p.Parse([]byte(line))
		}
		_ = p.Explain(1).Error()
	})
}
