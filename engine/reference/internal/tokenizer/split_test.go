package tokenizer_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestSplits holds the pieces of each pattern against those of the tokenizers library.
func TestSplits(t *testing.T) {
	t.Parallel()
	var golden map[string][]struct {
		Text   string
		Pieces []string
	}
	readJSON(t, "../../testdata/splits.json", &golden)
	for pattern, family := range map[string]string{"llama": "llama", "qwen": "qwen2"} {
		require.NotEmpty(t, golden[pattern])
		tok := load(t, family)
		for _, c := range golden[pattern] {
			require.Equal(t, strings.Join(c.Pieces, "¦"), strings.Join(tok.Split(c.Text), "¦"), "%s: %q", pattern, c.Text)
		}
	}
}

// TestSplitKeepsAll: pieces are never empty and add up to the text.
func TestSplitKeepsAll(t *testing.T) {
	t.Parallel()
	for _, family := range []string{"llama", "qwen2"} {
		tok := load(t, family)
		rapid.Check(t, func(t *rapid.T) {
			text := rapid.StringOf(rapid.RuneFrom([]rune("aZé模 \t\r\n'sSlL0123½.!🙂\u0301\u3000\u0085"))).Draw(t, "text")
			pieces := tok.Split(text)
			require.NotContains(t, pieces, "")
			require.Equal(t, text, strings.Join(pieces, ""))
		})
	}
}
