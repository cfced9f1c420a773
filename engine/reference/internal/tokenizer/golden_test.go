package tokenizer_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spinup-llm/spinup/engine/reference/internal/tokenizer"
	"github.com/stretchr/testify/require"
)

var families = []string{"llama", "llama3rope", "qwen2", "qwen3"}

func load(tb testing.TB, family string) *tokenizer.Tokenizer {
	tb.Helper()
	tok, err := tokenizer.Load(filepath.Join("../../testdata", family, "tokenizer.json"))
	require.NoError(tb, err)
	return tok
}

func readJSON(tb testing.TB, path string, v any) {
	tb.Helper()
	text, err := os.ReadFile(path)
	require.NoError(tb, err)
	require.NoError(tb, json.Unmarshal(text, v))
}

// TestGolden holds ids and decoded text against those of the tokenizers library.
func TestGolden(t *testing.T) {
	t.Parallel()
	for _, family := range families {
		t.Run(family, func(t *testing.T) {
			t.Parallel()
			tok := load(t, family)
			var golden struct {
				Tokenizer []struct {
					Text, Decoded string
					IDs           []int
				}
				Chat []struct {
					Prompt, Text string
					IDs, Greedy  []int
				}
				Completion []struct {
					Prompt, Text string
					IDs, Greedy  []int
				}
			}
			readJSON(t, filepath.Join("../../testdata", family, "golden.json"), &golden)
			require.NotEmpty(t, golden.Tokenizer)
			encode := func(text string, special bool, want []int) {
				ids := tok.Encode(text, special)
				if len(want)+len(ids) > 0 {
					require.Equal(t, want, ids, "%q", text)
				}
			}
			for _, c := range golden.Tokenizer {
				encode(c.Text, false, c.IDs)
				if !strings.Contains(c.Text, "<|") { // theirs keeps special tokens
					require.Equal(t, c.Decoded, tok.Decode(c.IDs))
				}
			}
			for _, c := range golden.Chat {
				encode(c.Prompt, false, c.IDs)
				require.Equal(t, c.Text, tok.Decode(c.Greedy))
			}
			for _, c := range golden.Completion {
				encode(c.Prompt, true, c.IDs)
				require.Equal(t, c.Text, tok.Decode(c.Greedy))
			}
		})
	}
}
