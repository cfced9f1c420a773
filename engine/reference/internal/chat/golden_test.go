package chat_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/spinup-llm/spinup/engine/reference/internal/chat"
	"github.com/stretchr/testify/require"
)

// TestGolden holds rendered prompts against those of transformers.
func TestGolden(t *testing.T) {
	t.Parallel()
	var golden []struct {
		Name, Template string
		BOS            string `json:"bos_token"`
		EOS            string `json:"eos_token"`
		Cases          []struct {
			Messages, Tools json.RawMessage
			Kwargs          map[string]json.RawMessage
			Generate        bool `json:"add_generation_prompt"`
			Text            *string
			Error           string
		}
	}
	text, err := os.ReadFile("../../testdata/chat_templates.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &golden))
	for _, g := range golden {
		t.Run(g.Name, func(t *testing.T) {
			t.Parallel()
			template, err := chat.Parse(g.Template, chat.Tokens{BOS: g.BOS, EOS: g.EOS})
			require.NoError(t, err)
			for i, c := range g.Cases {
				got, err := template.Render(chat.Input{Messages: c.Messages, Tools: c.Tools, Extra: c.Kwargs, Continue: !c.Generate})
				if c.Text == nil {
					require.ErrorContains(t, err, c.Error, "case %d", i)
					continue
				}
				require.NoError(t, err, "case %d", i)
				require.Equal(t, *c.Text, got, "case %d", i)
			}
		})
	}
}
