package hub_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os/exec"
	"testing"

	"github.com/spinup-llm/spinup/internal/testenv"
	"github.com/spinup-llm/spinup/source/hub"
	"github.com/stretchr/testify/require"
)

func TestPatterns(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, path string
		want          bool
	}{
		{"*", "a/b/c", true},
		{"*.json", "a/b.json", true},
		{"*.json", "a.JSON", false},
		{"*.json", "a.jsonl", false},
		{"a/*", "a/b/c", true},
		{"a/", "a/b/c", true},
		{"a/", "a", false},
		{"a", "a/b", false},
		{`a\b`, "a/b", true},
		{"?", "ü", true},
		{"?", "", false},
		{"a?c", "a/c", true},
		{"**/x", "x", false},
		{"**/x", "a/b/x", true},
		{"*a*a*a", "aaaaaaaaaab", false},
		{"*ab", "aab", true},
		{"[ab]c", "bc", true},
		{"[!ab]c", "bc", false},
		{"[!ab]c", "cc", true},
		{"[a-c]", "b", true},
		{"[c-a]", "b", false},
		{"[!c-a]", "b", true},
		{"[a-]", "-", true},
		{"[-a]", "-", true},
		{"[]a]", "]", true},
		{"[!]a]", "]", false},
		{"[!]a]", "b", true},
		{"[", "[", true},
		{"[a", "[a", true},
		{"[!]", "[!]", true},
		{"[]", "[]", true},
		{"[^a]", "^", true},
		{"[^a]", "b", false},
		{"[a-c-e]", "d", false},
		{"[a-c-e]", "-", true},
		{"a.b", "axb", false},
		{"", "", true},
		{"", "a", false},
	} {
		require.Equal(t, c.want, hub.Match(c.pattern, c.path), "%q %q", c.pattern, c.path)
	}
}

const askPython = `
import json, sys
from huggingface_hub.utils import filter_repo_objects
print(json.dumps([len(list(filter_repo_objects([n], allow_patterns=[p]))) == 1 for p, n in json.load(sys.stdin)]))
`

// Random patterns match as they do in huggingface_hub.
func TestPatternsAsPython(t *testing.T) {
	t.Parallel()
	python := testenv.Python(t)
	rnd := rand.New(rand.NewPCG(1, 2))
	word := func(letters string, most int) string {
		b := []byte{}
		for range rnd.IntN(most + 1) {
			b = append(b, letters[rnd.IntN(len(letters))])
		}
		return string(b)
	}
	pairs := make([][2]string, 20_000)
	for i := range pairs {
		pairs[i] = [2]string{word(`ab/*?[]!-^\c`, 7), word("ab/c-]![", 4)}
	}
	in, err := json.Marshal(pairs)
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), python, "-c", askPython)
	cmd.Stdin = bytes.NewReader(in)
	out, err := cmd.Output()
	require.NoError(t, err)
	var want []bool
	require.NoError(t, json.Unmarshal(out, &want))
	for i, p := range pairs {
		require.Equal(t, want[i], hub.Match(p[0], p[1]), "%q %q", p[0], p[1])
	}
}
