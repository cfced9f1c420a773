package server

import (
	"encoding/json"

	"github.com/spinup-llm/spinup/engine/reference/internal/generate"
)

// defaultTokens is the length of a completion that asks for none.
const defaultTokens = 16

func (s *Server) completionJob(b *Backend, text []byte) (job, error) {
	req := read(text)
	j := job{params: req.params(b.Sampling, "max_tokens"), shape: completionShape}
	var prompt json.RawMessage
	req.take("prompt", &prompt, "a text")
	if err := req.done("prompt", "max_tokens"); err != nil {
		return j, err
	}
	if err := s.knows(j.model); err != nil {
		return j, err
	}
	var err error
	if j.prompt, err = readPrompt(b, prompt); err != nil {
		return j, err
	}
	if j.maxTokens == 0 {
		j.maxTokens = max(1, min(defaultTokens, b.Generator.MaxLen()-len(j.prompt)))
	}
	return j, nil
}

// readPrompt takes a text, token ids, or a list with one of those.
func readPrompt(b *Backend, value json.RawMessage) ([]int, error) {
	var text string
	var texts []string
	var ids []int
	var lists [][]int
	switch {
	case json.Unmarshal(value, &text) == nil:
		return b.Tokenizer.Encode(text, true), nil
	case json.Unmarshal(value, &texts) == nil && len(texts) == 1:
		return b.Tokenizer.Encode(texts[0], true), nil
	case json.Unmarshal(value, &ids) == nil && len(ids) > 0:
		return ids, nil
	case json.Unmarshal(value, &lists) == nil && len(lists) == 1:
		return lists[0], nil
	default:
		return nil, invalid("prompt", "prompt has to be one text, or one list of token ids")
	}
}

type completionChoice struct {
	Index    int              `json:"index"`
	Text     string           `json:"text"`
	Logprobs any              `json:"logprobs"`
	Finish   *generate.Finish `json:"finish_reason"`
}

var completionShape = shape{
	input: "prompt", prefix: "cmpl-", object: "text_completion", piece: "text_completion",
	whole: func(text string, finish generate.Finish) any { return completionChoice{Text: text, Finish: &finish} },
	delta: func(text string) any { return completionChoice{Text: text} },
	last:  func(finish generate.Finish) any { return completionChoice{Finish: &finish} },
}
