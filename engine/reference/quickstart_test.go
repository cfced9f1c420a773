package reference_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/engine/reference"
	"github.com/stretchr/testify/require"
)

const quickstart = "../../examples/quickstart/model"

// chat sends one message to h and returns the answer, greedily.
func chat(tb testing.TB, h http.Handler, question string) (text string, prompt, completion int) {
	tb.Helper()
	body, err := json.Marshal(map[string]any{
		"messages": []any{map[string]any{"role": "user", "content": question}}, "temperature": 0, "max_tokens": 100,
	})
	require.NoError(tb, err)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(tb.Context(), http.MethodPost, "/v1/chat/completions", strings.NewReader(string(body))))
	require.Equal(tb, 200, w.Code, w.Body.String())
	var a struct {
		Choices []struct{ Message struct{ Content string } }
		Usage   struct {
			Prompt     int `json:"prompt_tokens"`
			Completion int `json:"completion_tokens"`
		}
	}
	require.NoError(tb, json.Unmarshal(w.Body.Bytes(), &a))
	return a.Choices[0].Message.Content, a.Usage.Prompt, a.Usage.Completion
}

// TestQuickstartAnswers holds the answers of the quickstart's model against transformers'.
func TestQuickstartAnswers(t *testing.T) {
	t.Parallel()
	h, err := reference.Handler(t.Context(), engine.Spec{ModelID: "tiny", Dir: quickstart})
	require.NoError(t, err)
	var golden []struct {
		Question, Answer string
		Prompt           int `json:"prompt_tokens"`
		Completion       int `json:"completion_tokens"`
	}
	text, err := os.ReadFile("testdata/quickstart_answers.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &golden))
	require.NotEmpty(t, golden)
	if raced {
		golden = golden[:2]
	}
	for _, g := range golden {
		answer, prompt, completion := chat(t, h, g.Question)
		require.Equal(t, g.Answer, answer, g.Question)
		require.Equal(t, g.Prompt, prompt, g.Question)
		require.Equal(t, g.Completion, completion, g.Question)
	}
}

func BenchmarkAnswer(b *testing.B) {
	h, err := reference.Handler(b.Context(), engine.Spec{ModelID: "tiny", Dir: quickstart})
	require.NoError(b, err)
	tokens := 0
	for b.Loop() {
		_, _, n := chat(b, h, "What does a deployment do first?")
		tokens += n
	}
	b.ReportMetric(float64(tokens)/b.Elapsed().Seconds(), "tokens/s")
}

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		_, err := reference.Handler(b.Context(), engine.Spec{ModelID: "tiny", Dir: quickstart})
		require.NoError(b, err)
	}
}
