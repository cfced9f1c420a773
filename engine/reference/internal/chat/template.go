package chat

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/spinup-llm/spinup/engine/reference/internal/jinja"
)

// A Template is a parsed chat template. It is safe for concurrent use.
type Template struct {
	template *jinja.Template
	tokens   Tokens
}

// Tokens are the special tokens that templates name; "" means that there is none.
type Tokens struct{ BOS, EOS, UNK, PAD string }

// Input is what one prompt is made of.
type Input struct {
	Messages json.RawMessage            // a list of objects
	Tools    json.RawMessage            // a list of objects; nil means none
	Extra    map[string]json.RawMessage // further variables, such as enable_thinking
	Now      time.Time                  // for strftime_now
	Continue bool                       // false adds what begins an answer
}

// Parse compiles source.
func Parse(source string, tokens Tokens) (*Template, error) {
	t, err := jinja.Parse(source)
	if err != nil {
		return nil, err
	}
	return &Template{template: t, tokens: tokens}, nil
}

// Render returns the prompt. What a template says with raise_exception is a [*jinja.Raised].
func (t *Template) Render(in Input) (string, error) {
	vars := map[string]any{
		"documents": nil, "tools": nil, "add_generation_prompt": !in.Continue,
		"strftime_now": jinja.Func(func(format string) (string, error) { return strftime(in.Now, format) }),
	}
	for name, token := range map[string]string{
		"bos_token": t.tokens.BOS, "eos_token": t.tokens.EOS, "unk_token": t.tokens.UNK, "pad_token": t.tokens.PAD,
	} {
		if token != "" {
			vars[name] = token
		}
	}
	given := map[string]json.RawMessage{"messages": in.Messages}
	if in.Tools != nil {
		given["tools"] = in.Tools
	}
	for _, more := range []map[string]json.RawMessage{in.Extra, given} {
		for name, text := range more {
			v, err := jinja.FromJSON(text)
			if err != nil {
				return "", fmt.Errorf("%s: %w", name, err)
			}
			vars[name] = v
		}
	}
	return t.template.Render(vars)
}
