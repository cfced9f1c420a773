package server_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spinup-llm/spinup/engine/reference/internal/chat"
	"github.com/spinup-llm/spinup/engine/reference/internal/generate"
	"github.com/spinup-llm/spinup/engine/reference/internal/model"
	"github.com/spinup-llm/spinup/engine/reference/internal/server"
	"github.com/spinup-llm/spinup/engine/reference/internal/tokenizer"
	"github.com/spinup-llm/spinup/engine/reference/internal/weights"
	"github.com/stretchr/testify/require"
)

const maxLen = 512

// backend loads a family of the golden models.
func backend(tb testing.TB, family string) server.Backend {
	tb.Helper()
	dir := filepath.Join("../../testdata", family)
	cfg, err := model.ReadConfig(filepath.Join(dir, "config.json"))
	require.NoError(tb, err)
	set, err := weights.Open(dir)
	require.NoError(tb, err)
	defer set.Close()
	m, err := model.Load(tb.Context(), cfg, set, func(int) {})
	require.NoError(tb, err)
	tok, err := tokenizer.Load(filepath.Join(dir, "tokenizer.json"))
	require.NoError(tb, err)
	source, err := os.ReadFile(filepath.Join(dir, "chat_template.jinja"))
	require.NoError(tb, err)
	template, err := chat.Parse(string(source), chat.Tokens{BOS: "<|begin_of_text|>"})
	require.NoError(tb, err)
	return server.Backend{
		Generator: generate.New(m, tok, generate.Options{MaxSeqs: 2, MaxLen: maxLen}),
		Tokenizer: tok, Template: template, Vocab: cfg.Vocab, Sampling: generate.Sampling{Temperature: 1},
	}
}

// start serves a family under the name "tiny".
func start(tb testing.TB, family string) string {
	tb.Helper()
	s := server.New("tiny")
	s.Serve(backend(tb, family))
	return listen(tb, s)
}

func listen(tb testing.TB, h http.Handler) string {
	tb.Helper()
	srv := httptest.NewServer(h)
	tb.Cleanup(srv.Close)
	return srv.URL
}

type apiError struct{ Message, Type, Param, Code string }

// ask sends a request and decodes the answer, or the error.
func ask(tb testing.TB, method, url string, body any, out any) (int, apiError) {
	tb.Helper()
	text, isText := body.(string)
	if !isText {
		b, err := json.Marshal(body)
		require.NoError(tb, err)
		text = string(b)
	}
	req, err := http.NewRequestWithContext(tb.Context(), method, url, strings.NewReader(text))
	require.NoError(tb, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(tb, err)
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	require.NoError(tb, err)
	if resp.StatusCode != http.StatusOK {
		var e struct{ Error *apiError }
		require.NoError(tb, json.Unmarshal(answer, &e), "%s", answer)
		require.NotNil(tb, e.Error, "%s", answer)
		require.NotEmpty(tb, e.Error.Message)
		require.NotEmpty(tb, e.Error.Type)
		return resp.StatusCode, *e.Error
	}
	if out != nil {
		require.NoError(tb, json.Unmarshal(answer, out), "%s", answer)
	}
	return resp.StatusCode, apiError{}
}

type answer struct {
	ID, Object, Model string
	Created           int64
	Choices           []struct {
		Index        int
		Text         string
		Message      struct{ Role, Content string }
		FinishReason string `json:"finish_reason"`
	}
	Usage struct {
		PromptTokens     int `json:"prompt_tokens"`
		CompletionTokens int `json:"completion_tokens"`
		TotalTokens      int `json:"total_tokens"`
	}
}

type golden struct {
	Chat []struct {
		Messages    []map[string]any
		IDs, Greedy []int
		Text        string
	}
	Completion []struct {
		Prompt, Text string
		IDs, Greedy  []int
	}
}

func readGolden(tb testing.TB, family string) (g golden) {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join("../../testdata", family, "golden.json"))
	require.NoError(tb, err)
	require.NoError(tb, json.Unmarshal(text, &g))
	return g
}

type object = map[string]any

// TestGolden: what clients get is what transformers says, for chats and completions.
func TestGolden(t *testing.T) {
	t.Parallel()
	for _, family := range []string{"llama", "qwen2", "qwen3"} {
		t.Run(family, func(t *testing.T) {
			t.Parallel()
			url, g := start(t, family), readGolden(t, family)
			for _, c := range g.Chat {
				var a answer
				status, e := ask(t, "POST", url+"/v1/chat/completions",
					object{"model": "tiny", "messages": c.Messages, "temperature": 0, "max_completion_tokens": len(c.Greedy)}, &a)
				require.Equal(t, 200, status, e.Message)
				require.True(t, strings.HasPrefix(a.ID, "chatcmpl-"))
				require.Equal(t, "chat.completion", a.Object)
				require.Equal(t, "tiny", a.Model)
				require.Positive(t, a.Created)
				require.Equal(t, "assistant", a.Choices[0].Message.Role)
				require.Equal(t, c.Text, a.Choices[0].Message.Content)
				require.Equal(t, "length", a.Choices[0].FinishReason)
				require.Equal(t, len(c.IDs), a.Usage.PromptTokens)
				require.Equal(t, len(c.Greedy), a.Usage.CompletionTokens)
				require.Equal(t, len(c.IDs)+len(c.Greedy), a.Usage.TotalTokens)
			}
			for _, c := range g.Completion {
				for _, prompt := range []any{c.Prompt, []string{c.Prompt}, c.IDs, [][]int{c.IDs}} {
					var a answer
					status, e := ask(t, "POST", url+"/v1/completions",
						object{"prompt": prompt, "temperature": 0, "max_tokens": len(c.Greedy)}, &a)
					require.Equal(t, 200, status, e.Message)
					require.Equal(t, "text_completion", a.Object)
					require.Equal(t, c.Text, a.Choices[0].Text)
					require.Equal(t, len(c.IDs), a.Usage.PromptTokens)
				}
			}
		})
	}
}

// events reads a stream: the data of each event.
func events(tb testing.TB, r io.Reader) (out []string) {
	tb.Helper()
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		require.True(tb, ok, "%q", lines.Text())
		out = append(out, data)
		require.True(tb, lines.Scan(), "an event ends with an empty line")
		require.Empty(tb, lines.Text())
	}
	require.NoError(tb, lines.Err())
	return out
}

type chunk struct {
	ID, Object string
	Choices    []struct {
		Text         string
		Delta        struct{ Role, Content *string }
		FinishReason *string `json:"finish_reason"`
	}
	Usage *struct {
		TotalTokens int `json:"total_tokens"`
	}
}

// post sends a request whose answer is read piece by piece.
func post(tb testing.TB, url string, body any, read func(*http.Response)) {
	tb.Helper()
	text, err := json.Marshal(body)
	require.NoError(tb, err)
	req, err := http.NewRequestWithContext(tb.Context(), http.MethodPost, url, bytes.NewReader(text))
	require.NoError(tb, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(tb, err)
	defer resp.Body.Close()
	read(resp)
}

// stream sends a request and returns the data of each event.
func stream(tb testing.TB, url string, body any) (all []string) {
	tb.Helper()
	post(tb, url, body, func(resp *http.Response) {
		require.Equal(tb, "text/event-stream; charset=utf-8", resp.Header.Get("Content-Type"))
		all = events(tb, resp.Body)
	})
	return all
}

func TestChatStream(t *testing.T) {
	t.Parallel()
	url, g := start(t, "qwen3"), readGolden(t, "qwen3")
	for _, usage := range []bool{false, true} {
		c := g.Chat[1]
		body := object{"messages": c.Messages, "temperature": 0, "max_tokens": len(c.Greedy), "stream": true}
		if usage {
			body["stream_options"] = object{"include_usage": true}
		}
		all := stream(t, url+"/v1/chat/completions", body)
		require.Equal(t, "[DONE]", all[len(all)-1])
		var text strings.Builder
		var finish, id string
		for i, data := range all[:len(all)-1] {
			var c chunk
			require.NoError(t, json.Unmarshal([]byte(data), &c))
			require.Equal(t, "chat.completion.chunk", c.Object)
			if i == 0 {
				id = c.ID
				require.Equal(t, "assistant", *c.Choices[0].Delta.Role)
				require.Empty(t, *c.Choices[0].Delta.Content)
			}
			require.Equal(t, id, c.ID)
			require.Equal(t, usage, strings.Contains(data, `"usage":`), data)
			if usage && i == len(all)-2 {
				require.Empty(t, c.Choices)
				require.Equal(t, len(g.Chat[1].IDs)+len(g.Chat[1].Greedy), c.Usage.TotalTokens)
				continue
			}
			require.Nil(t, c.Usage)
			require.Empty(t, finish, "nothing but the usage follows the reason")
			if c.Choices[0].FinishReason != nil {
				finish = *c.Choices[0].FinishReason
			} else {
				text.WriteString(*c.Choices[0].Delta.Content)
			}
		}
		require.Equal(t, "length", finish)
		require.Equal(t, c.Text, text.String())
	}
}

func TestCompletionStream(t *testing.T) {
	t.Parallel()
	url, g := start(t, "llama"), readGolden(t, "llama")
	c := g.Completion[0]
	runes := []rune(c.Text)
	stop := string(runes[len(runes)-6 : len(runes)-3])
	all := stream(t, url+"/v1/completions", object{"prompt": c.Prompt, "temperature": 0, "max_tokens": 64, "stream": true, "stop": stop})
	require.Equal(t, "[DONE]", all[len(all)-1])
	var text, finish string
	for _, data := range all[:len(all)-1] {
		var c chunk
		require.NoError(t, json.Unmarshal([]byte(data), &c))
		require.Equal(t, "text_completion", c.Object)
		text += c.Choices[0].Text
		if c.Choices[0].FinishReason != nil {
			finish = *c.Choices[0].FinishReason
		}
	}
	want, _, _ := strings.Cut(c.Text, stop)
	require.Equal(t, want, text)
	require.Equal(t, "stop", finish)
}

func TestLoading(t *testing.T) {
	t.Parallel()
	s := server.New("tiny")
	url := listen(t, s)
	for _, path := range []string{"/health", "/v1/models", "/v1/models/tiny"} {
		status, e := ask(t, "GET", url+path, "", nil)
		require.Equal(t, 503, status)
		require.Equal(t, "loading", e.Code)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/health", nil))
	require.Equal(t, "1", w.Header().Get("Retry-After"))
	status, e := ask(t, "POST", url+"/v1/completions", object{"prompt": "a"}, nil)
	require.Equal(t, 503, status)
	require.Equal(t, "loading", e.Code)
	status, _ = ask(t, "GET", url+"/ping", "", nil)
	require.Equal(t, 200, status, "the process is alive")

	s.Serve(backend(t, "qwen3"))
	status, _ = ask(t, "GET", url+"/health", "", nil)
	require.Equal(t, 200, status)
}

func TestModels(t *testing.T) {
	t.Parallel()
	s := server.New("org/tiny")
	s.Serve(backend(t, "qwen3"))
	url := listen(t, s)
	var list struct {
		Object string
		Data   []struct {
			ID, Object string
			MaxLen     int `json:"max_model_len"`
		}
	}
	ask(t, "GET", url+"/v1/models", "", &list)
	require.Equal(t, "list", list.Object)
	require.Len(t, list.Data, 1)
	require.Equal(t, "org/tiny", list.Data[0].ID)
	require.Equal(t, maxLen, list.Data[0].MaxLen)
	status, _ := ask(t, "GET", url+"/v1/models/org/tiny", "", nil)
	require.Equal(t, 200, status)
	status, e := ask(t, "GET", url+"/v1/models/other", "", nil)
	require.Equal(t, 404, status)
	require.Contains(t, e.Message, `there is "org/tiny"`)
}

func TestTemplates(t *testing.T) {
	t.Parallel()
	hi := object{"messages": []object{{"role": "user", "content": "Hi"}}, "max_tokens": 1}
	serve := func(source string, noChat error) string {
		b := backend(t, "llama")
		b.Template, b.NoChat = nil, noChat
		if noChat == nil {
			var err error
			b.Template, err = chat.Parse(source, chat.Tokens{})
			require.NoError(t, err)
		}
		s := server.New("tiny")
		s.Serve(b)
		return listen(t, s)
	}
	status, e := ask(t, "POST", serve("{{ raise_exception('Speak in turns.') }}", nil)+"/v1/chat/completions", hi, nil)
	require.Equal(t, 400, status)
	require.Contains(t, e.Message, "Speak in turns.")
	status, e = ask(t, "POST", serve("{{ missing.attribute }}", nil)+"/v1/chat/completions", hi, nil)
	require.Equal(t, 400, status)
	require.Contains(t, e.Message, "'missing' is undefined")

	url := serve("", errors.New("it has no chat template"))
	status, e = ask(t, "POST", url+"/v1/chat/completions", hi, nil)
	require.Equal(t, 400, status)
	require.Equal(t, "no_chat_template", e.Code)
	require.Contains(t, e.Message, "it has no chat template; use /v1/completions")
	status, _ = ask(t, "POST", url+"/v1/completions", object{"prompt": "a"}, nil)
	require.Equal(t, 200, status)
}

// TestManyClients: streams and plain answers at the same time do not touch each other.
func TestManyClients(t *testing.T) {
	t.Parallel()
	url, g := start(t, "qwen3"), readGolden(t, "qwen3")
	for i := range 16 {
		c := g.Chat[i%4]
		t.Run("", func(t *testing.T) {
			t.Parallel()
			body := object{"messages": c.Messages, "temperature": 0, "max_tokens": len(c.Greedy), "stream": i%2 == 0}
			if i%2 == 0 {
				var text strings.Builder
				for _, data := range stream(t, url+"/v1/chat/completions", body) {
					var piece chunk
					if json.Unmarshal([]byte(data), &piece) == nil && piece.Choices[0].Delta.Content != nil {
						text.WriteString(*piece.Choices[0].Delta.Content)
					}
				}
				require.Equal(t, c.Text, text.String())
				return
			}
			var a answer
			status, e := ask(t, "POST", url+"/v1/chat/completions", body, &a)
			require.Equal(t, 200, status, e.Message)
			require.Equal(t, c.Text, a.Choices[0].Message.Content)
		})
	}
}

// TestClientLeaves: the place of a client that has gone is free for the next.
func TestClientLeaves(t *testing.T) {
	t.Parallel()
	b := backend(t, "llama")
	s := server.New("tiny")
	s.Serve(b)
	ended := make(chan struct{}, 8)
	url := listen(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.ServeHTTP(w, r)
		ended <- struct{}{}
	}))
	for range 4 { // more than there are places
		post(t, url+"/v1/completions", object{"prompt": "a", "max_tokens": 500, "ignore_eos": true, "stream": true}, func(resp *http.Response) {
			line, err := bufio.NewReader(resp.Body).ReadString('\n')
			require.NoError(t, err)
			require.Contains(t, line, "data: ")
		})
		<-ended
	}
}
