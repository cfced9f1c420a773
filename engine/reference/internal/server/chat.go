package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spinup-llm/spinup/engine/reference/internal/chat"
	"github.com/spinup-llm/spinup/engine/reference/internal/generate"
	"github.com/spinup-llm/spinup/engine/reference/internal/jinja"
)

// message is one of a chat, as templates see it.
type message struct {
	Role      string  `json:"role"`
	Content   string  `json:"content"`
	Name      *string `json:"name,omitempty"`
	Reasoning *string `json:"reasoning_content,omitempty"`
}

func (s *Server) chatJob(b *Backend, text []byte) (job, error) {
	req := read(text)
	j := job{params: req.params(b.Sampling, "max_tokens", "max_completion_tokens"), shape: chatShape}
	var list []json.RawMessage
	req.take("messages", &list, "a list of objects")
	var extra map[string]json.RawMessage
	req.take("chat_template_kwargs", &extra, "an object")
	if err := req.done("messages", "max_tokens", "max_completion_tokens", "chat_template_kwargs"); err != nil {
		return j, err
	}
	if err := s.knows(j.model); err != nil {
		return j, err
	}
	if b.Template == nil {
		return j, invalid("messages", "this model cannot chat: %v; use /v1/completions", b.NoChat).with(http.StatusBadRequest, "no_chat_template")
	}
	messages, err := readMessages(list)
	if err != nil {
		return j, err
	}
	prompt, err := render(b.Template, messages, extra)
	if err != nil {
		return j, err
	}
	j.prompt = b.Tokenizer.Encode(prompt, false) // the template writes the special tokens
	return j, nil
}

func render(t *chat.Template, messages []message, extra map[string]json.RawMessage) (string, error) {
	text, err := json.Marshal(messages)
	if err != nil {
		return "", err
	}
	prompt, err := t.Render(chat.Input{Messages: text, Extra: extra, Now: time.Now()})
	if raised, ok := errors.AsType[*jinja.Raised](err); ok {
		return "", invalid("messages", "the model's chat template refuses these messages: %s", raised.Message)
	}
	if err != nil {
		return "", invalid("messages", "the model's chat template fails on these messages: %v", err)
	}
	return prompt, nil
}

func readMessages(list []json.RawMessage) ([]message, error) {
	if len(list) == 0 {
		return nil, invalid("messages", "messages has to be a list with at least one message")
	}
	out := make([]message, len(list))
	for i, text := range list {
		var err error
		if out[i], err = readMessage(fmt.Sprintf("messages[%d]", i), text); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// readMessage refuses what would not reach the model: calls of tools, images.
func readMessage(at string, text []byte) (message, error) {
	r := read(text)
	if r.err != nil {
		return message{}, invalid(at, "%s is not an object", at)
	}
	var m message
	roles := r.take("role", &m.Role, "a string")
	r.take("name", &m.Name, "a string")
	r.take("reasoning_content", &m.Reasoning, "a string")
	content := r.fields["content"]
	delete(r.fields, "content")
	for name, value := range r.fields {
		if string(value) != "[]" && !slices.Contains([]string{"id", "type", "status"}, name) {
			return m, invalid(at+"."+name, "%s.%s is not supported by the reference engine", at, name)
		}
	}
	if r.err != nil || !roles || m.Role == "" {
		return m, invalid(at, "%s needs a role; role, name and reasoning_content are strings", at)
	}
	var err error
	m.Content, err = readContent(at+".content", content)
	return m, err
}

// readContent takes a string, or a list of parts that are text.
func readContent(at string, value json.RawMessage) (string, error) {
	var s string
	if json.Unmarshal(value, &s) == nil {
		return s, nil
	}
	var parts []struct {
		Type string
		Text *string
	}
	if len(value) == 0 || json.Unmarshal(value, &parts) != nil {
		return "", invalid(at, "%s has to be a string or a list of text parts", at)
	}
	texts := make([]string, len(parts))
	for i, p := range parts {
		if p.Type != "text" || p.Text == nil {
			return "", invalid(fmt.Sprintf("%s[%d]", at, i), "%s[%d] is not a text part; this model reads text only", at, i)
		}
		texts[i] = *p.Text
	}
	return strings.Join(texts, "\n"), nil
}

// chatChoice is the choice of a whole answer or, with a delta, of a piece.
type chatChoice struct {
	Index    int              `json:"index"`
	Message  *chatMessage     `json:"message,omitempty"`
	Delta    *chatDelta       `json:"delta,omitempty"`
	Logprobs any              `json:"logprobs"`
	Finish   *generate.Finish `json:"finish_reason"`
}

type chatMessage struct {
	Role    string  `json:"role"`
	Content string  `json:"content"`
	Refusal *string `json:"refusal"`
}

type chatDelta struct {
	Role    string  `json:"role,omitempty"`
	Content *string `json:"content,omitempty"`
}

var chatShape = shape{
	input: "messages", prefix: "chatcmpl-", object: "chat.completion", piece: "chat.completion.chunk",
	first: chatChoice{Delta: &chatDelta{Role: "assistant", Content: new("")}},
	whole: func(text string, finish generate.Finish) any {
		return chatChoice{Message: &chatMessage{Role: "assistant", Content: text}, Finish: &finish}
	},
	delta: func(text string) any { return chatChoice{Delta: &chatDelta{Content: &text}} },
	last:  func(finish generate.Finish) any { return chatChoice{Delta: &chatDelta{}, Finish: &finish} },
}
