package nearest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/spinup-llm/spinup/internal/nearest"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestOf(t *testing.T) {
	t.Parallel()
	names := []string{"llama", "llama-13b", "Qwen2", "mistral"}
	for word, want := range map[string][]string{
		"lama":    {"llama"},
		"llmaa":   {"llama"},
		"LLAMA":   {"llama", "llama-13b"},
		"llama-3": {"llama", "llama-13b"},
		"qwen":    {"Qwen2"},
		"gpt":     nil,
		"":        nil,
	} {
		require.Equal(t, want, nearest.Of(word, names, 3), word)
	}
	require.Len(t, nearest.Of("llama", names, 1), 1)
	require.Nil(t, nearest.Of(strings.Repeat("x", 1<<20), names, 3))
	require.Nil(t, nearest.Of("x", []string{strings.Repeat("x", 1<<20)}, 3))
}

// A name is near to itself with one letter changed, removed or added.
func TestOfFindsTypos(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[a-z0-9-]{3,40}`).Draw(t, "name")
		i := rapid.IntRange(0, len(name)-1).Draw(t, "at")
		for _, typo := range []string{name[:i] + "_" + name[i+1:], name[:i] + name[i+1:], name[:i] + "_" + name[i:]} {
			require.Equal(t, []string{name}, nearest.Of(typo, []string{name, strings.Repeat("#", 50)}, 3))
		}
	})
}

func ExampleAbove() {
	folders := map[string][]string{"": {"models", "data"}, "models": {"llama", "mistral"}}
	dir, hint := nearest.Above("models/lama/v2", func(dir string) []string { return folders[dir] })
	fmt.Printf("in %q %s\n", dir, hint)
	// Output: in "models" did you mean "llama"?
}

func ExampleHint() {
	fmt.Println(nearest.Hint("lama", []string{"mistral", "llama"}))
	fmt.Println(nearest.Hint("gpt", []string{"f", "e", "d", "c", "b", "a"}))
	// Output:
	// did you mean "llama"?
	// there are "a", "b", "c", "d", "e" and 1 more
}
