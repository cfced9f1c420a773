package jinja_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/spinup-llm/spinup/engine/reference/internal/jinja"
	"github.com/stretchr/testify/require"
)

type golden struct {
	Vars  map[string]json.RawMessage
	Cases [][2]*string // template and text; nil where Jinja or Python raises
}

func readGolden(tb testing.TB) (g golden, vars func(testing.TB) map[string]any) {
	tb.Helper()
	text, err := os.ReadFile("testdata/golden.json")
	require.NoError(tb, err)
	require.NoError(tb, json.Unmarshal(text, &g))
	return g, func(tb testing.TB) map[string]any {
		tb.Helper()
		out := map[string]any{"strftime_now": jinja.Func(func(s string) (string, error) { return s, nil })}
		for name, text := range g.Vars {
			v, err := jinja.FromJSON(text)
			require.NoError(tb, err)
			out[name] = v
		}
		return out
	}
}

// TestGolden holds small templates against Jinja's own result.
func TestGolden(t *testing.T) {
	t.Parallel()
	g, vars := readGolden(t)
	require.Greater(t, len(g.Cases), 500)
	for _, c := range g.Cases {
		source, want := *c[0], c[1]
		template, err := jinja.Parse(source)
		got := ""
		if err == nil {
			got, err = template.Render(vars(t))
		}
		if want == nil {
			require.Error(t, err, "%s gave %q", source, got)
			continue
		}
		require.NoError(t, err, source)
		require.Equal(t, *want, got, source)
	}
}
