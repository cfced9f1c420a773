package generate_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spinup-llm/spinup/engine/reference/internal/generate"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// cut is what the stopper promises, said the simple way: the text up to the stop text that
// is complete first; of those that are complete at the same place, the longest.
func cut(text string, stops []string) (string, bool) {
	for end := range len(text) + 1 {
		best := -1
		for _, stop := range stops {
			if strings.HasSuffix(text[:end], stop) && (best < 0 || end-len(stop) < best) {
				best = end - len(stop)
			}
		}
		if best >= 0 {
			return text[:best], true
		}
	}
	return text, false
}

// TestStopper: whatever the pieces, nothing of a stop text gets out and nothing else is lost.
func TestStopper(t *testing.T) {
	t.Parallel()
	word := rapid.StringOfN(rapid.SampledFrom([]rune("abc é模")), 1, 4, -1)
	rapid.Check(t, func(t *rapid.T) {
		stops := rapid.SliceOfN(word, 0, 3).Draw(t, "stops")
		pieces := rapid.SliceOf(rapid.StringOfN(rapid.SampledFrom([]rune("abc é模")), 0, 5, -1)).Draw(t, "pieces")
		want, wantStopped := cut(strings.Join(pieces, ""), stops)

		s := generate.NewStopper(stops...)
		var got strings.Builder
		stopped := false
		for _, p := range pieces {
			var out string
			out, stopped = s.Add(p)
			require.True(t, utf8.ValidString(out))
			got.WriteString(out)
			if stopped {
				break
			}
			require.True(t, strings.HasPrefix(want, got.String()), "%q was sent of %q", got.String(), want)
		}
		if !stopped {
			got.WriteString(s.Rest())
		}
		require.Equal(t, wantStopped, stopped)
		require.Equal(t, want, got.String())
	})
}

// TestStopperIsPrompt: what cannot become a stop text is not held back.
func TestStopperIsPrompt(t *testing.T) {
	t.Parallel()
	s := generate.NewStopper("END")
	for _, c := range []struct{ add, want string }{{"ab", "ab"}, {"cE", "c"}, {"x", "Ex"}, {"EN", ""}, {"E", "EN"}, {"", ""}} {
		out, stopped := s.Add(c.add)
		require.False(t, stopped)
		require.Equal(t, c.want, out)
	}
	out, stopped := s.Add("ND more")
	require.True(t, stopped)
	require.Empty(t, out)
}
