package model_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/spinup-llm/spinup/engine/reference/internal/model"
	"github.com/spinup-llm/spinup/engine/reference/internal/weights"
	"github.com/stretchr/testify/require"
)

var families = []string{"llama", "llama3rope", "qwen2", "qwen3"}

func load(tb testing.TB, dir string) *model.Model {
	tb.Helper()
	cfg, err := model.ReadConfig(filepath.Join(dir, "config.json"))
	require.NoError(tb, err)
	set, err := weights.Open(dir)
	require.NoError(tb, err)
	defer set.Close()
	want, memory, err := cfg.Fits(set)
	require.NoError(tb, err)
	require.GreaterOrEqual(tb, memory, want)
	var read int64
	m, err := model.Load(tb.Context(), cfg, set, func(n int) { read += int64(n) })
	require.NoError(tb, err)
	require.Equal(tb, want, read)
	return m
}

// answer is what transformers made of a prompt.
type answer struct {
	Prompt      string
	IDs, Greedy []int
	FirstLogits [][2]float64 `json:"first_logits"`
}

func answers(tb testing.TB, family string) []answer {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join("../../testdata", family, "golden.json"))
	require.NoError(tb, err)
	var golden struct{ Chat, Completion []answer }
	require.NoError(tb, json.Unmarshal(text, &golden))
	out := append(golden.Chat, golden.Completion...)
	require.NotEmpty(tb, out)
	return out
}

func argmax(x []float32) int {
	best := 0
	for i, v := range x {
		if v > x[best] {
			best = i
		}
	}
	return best
}

// TestGolden holds greedy token ids, and the first logits, against those of transformers.
func TestGolden(t *testing.T) {
	t.Parallel()
	for _, family := range families {
		t.Run(family, func(t *testing.T) {
			t.Parallel()
			m := load(t, filepath.Join("../../testdata", family))
			cache := m.NewCache(512)
			for _, a := range answers(t, family) {
				cache.Reset()
				logits, err := m.Forward(cache, a.IDs)
				require.NoError(t, err)
				for _, l := range a.FirstLogits {
					require.InDelta(t, l[1], logits[int(l[0])], 2e-3)
				}
				var got []int
				for len(got) < len(a.Greedy) {
					got = append(got, argmax(logits))
					logits, err = m.Forward(cache, got[len(got)-1:])
					require.NoError(t, err)
				}
				require.Equal(t, a.Greedy, got, "%q", a.Prompt)
			}
		})
	}
}
