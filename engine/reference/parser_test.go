package reference_test

import (
	"testing"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/engine/reference"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

func TestParser(t *testing.T) {
	t.Parallel()
	p := reference.Engine{}.NewParser(engine.Spec{Kwargs: map[string]any{"enforce_eager": true, "swap_space": 4, "seed": 1}})
	var got []lifecycle.Event
	for _, line := range []string{
		`{"stage":"engine_config","phase":"begin"}`, `{"stage":"engine_config","phase":"end","message":"LlamaForCausalLM"}`,
		`{"stage":"load_weights","phase":"begin"}`, `{"stage":"load_weights","phase":"progress","done":5,"total":10}`,
		`{"stage":"load_weights","phase":"progress","done":15,"total":10}`, `{"stage":"kv_cache","phase":"skip","message":"why"}`,
		`{"stage":"x","phase":"nonsense"}`, `{"phase":"begin"}`, `{"stage":`, `2026/11/23 http: TLS handshake error`,
	} {
		got = append(got, p.Parse([]byte(line))...)
	}
	config, load := lifecycle.StageEngineConfig, lifecycle.StageLoadWeights
	require.Equal(t, []lifecycle.Event{
		{Stage: config, Phase: lifecycle.Begin},
		{Stage: config, Phase: lifecycle.Progress, Message: "no meaning here, ignored: enforce_eager, swap_space"},
		{Stage: config, Phase: lifecycle.End, Message: "LlamaForCausalLM"},
		{Stage: load, Phase: lifecycle.Begin},
		{Stage: load, Phase: lifecycle.Progress, Done: 5, Total: 10},
		{Stage: load, Phase: lifecycle.Progress, Done: 10, Total: 10},
		{Stage: lifecycle.StageKVCache, Phase: lifecycle.Skip, Message: "why"},
	}, got)
}

func TestExplain(t *testing.T) {
	t.Parallel()
	cases := []struct {
		lines []string
		exit  int
		kind  lifecycle.Kind
		want  string
	}{
		{[]string{
			`{"stage":"load_weights","phase":"fail","error":{"op":"weights.Read","kind":"corrupt","target":"/m/a","hint":"get it again","cause":"cut"}}`,
			`{"stage":"load_weights","phase":"fail","error":{"op":"x","kind":"invalid","cause":"later"}}`, "panic: later",
		}, 1, lifecycle.Corrupt, "weights.Read /m/a: corrupt: cut (get it again)"},
		{[]string{`{"stage":"load_weights","phase":"fail","error":{"kind":"newer than this","cause":"c"}}`}, 1, lifecycle.EngineFailed, "c"},
		{[]string{`{"stage":"load_weights","phase":"fail"}`}, 1, lifecycle.EngineFailed, "no cause is known"},
		{[]string{"http: panic serving", "panic: index out of range", "goroutine 1"}, 2, lifecycle.EngineFailed, "panic: index out of range (this is a defect"},
		{[]string{"fatal error: runtime: out of memory"}, 2, lifecycle.NoSpace, "lower max_model_len"},
		{[]string{"runtime: out of memory: cannot allocate"}, 2, lifecycle.NoSpace, "lower max_model_len"},
		{nil, 137, lifecycle.EngineFailed, "the engine was killed (if nobody did it"},
		{nil, 0, lifecycle.EngineFailed, "ended with exit code 0"},
		{nil, -1, lifecycle.EngineFailed, "does not answer"},
	}
	for _, c := range cases {
		p := reference.Engine{}.NewParser(engine.Spec{})
		for _, line := range c.lines {
			p.Parse([]byte(line))
		}
		e := p.Explain(c.exit)
		require.Equal(t, c.kind, e.Kind, "%v", e)
		require.ErrorContains(t, e, c.want)
		require.NotEmpty(t, e.Hint)
	}
}

func FuzzParser(f *testing.F) {
	f.Add([]byte(`{"stage":"load_weights","phase":"progress","done":5,"total":10}`), 1)
	f.Add([]byte(`{"stage":"load_weights","phase":"fail","error":{"kind":"corrupt"}}`), 0)
	f.Add([]byte("panic: x"), 137)
	f.Fuzz(func(t *testing.T, line []byte, exit int) {
		p := reference.Engine{}.NewParser(engine.Spec{Kwargs: map[string]any{"block_size": 16}})
		for _, e := range append(p.Parse(line), p.Parse(line)...) {
			require.NotEmpty(t, e.Stage)
			require.NotEqual(t, "invalid", e.Phase.String())
			require.False(t, e.Total > 0 && e.Done > e.Total)
		}
		e := p.Explain(exit)
		require.Error(t, e.Err)
		require.NotEmpty(t, e.Hint)
	})
}
