package server_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/spinup-llm/spinup/engine/reference/internal/server"
	"github.com/stretchr/testify/require"
)

// TestRefuses: each wrong request is answered by the parameter's name.
func TestRefuses(t *testing.T) {
	t.Parallel()
	url := start(t, "llama")
	hi := []object{{"role": "user", "content": "Hi"}}
	chatWith := func(key string, value any) object { return object{"messages": hi, "max_tokens": 1, key: value} }
	cases := []struct {
		path, body  string
		fields      object
		status      int
		param, code string
	}{
		{body: "", status: 400},
		{body: "[]", status: 400},
		{body: "null", status: 400},
		{body: `{"messages": `, status: 400},
		{fields: object{}, status: 400, param: ""},
		{fields: object{"messages": []object{}}, status: 400},
		{fields: object{"messages": "Hi"}, status: 400, param: "messages"},
		{fields: chatWith("messages", []any{"Hi"}), status: 400, param: "messages[0]"},
		{fields: chatWith("messages", []object{{"content": "Hi"}}), status: 400, param: "messages[0]"},
		{fields: chatWith("messages", []object{{"role": "user"}}), status: 400, param: "messages[0].content"},
		{fields: chatWith("messages", []object{{"role": "user", "content": 3}}), status: 400, param: "messages[0].content"},
		{fields: chatWith("messages", []object{hi[0], {"role": "user", "content": []object{{"type": "image_url"}}}}), status: 400, param: "messages[1].content[0]"},
		{fields: chatWith("messages", []object{{"role": "assistant", "content": "", "tool_calls": []object{{"id": "x"}}}}), status: 400, param: "messages[0].tool_calls"},
		{fields: chatWith("model", "gpt-4"), status: 404, param: "model", code: "model_not_found"},
		{fields: chatWith("model", 7), status: 400, param: "model"},
		{fields: chatWith("n", 2), status: 400, param: "n", code: "unsupported_parameter"},
		{fields: chatWith("logprobs", true), status: 400, param: "logprobs", code: "unsupported_parameter"},
		{fields: chatWith("tools", []object{{"type": "function"}}), status: 400, param: "tools", code: "unsupported_parameter"},
		{fields: chatWith("tool_choice", "required"), status: 400, param: "tool_choice", code: "unsupported_parameter"},
		{fields: chatWith("response_format", object{"type": "json_object"}), status: 400, param: "response_format", code: "unsupported_parameter"},
		{fields: chatWith("presence_penalty", 0.5), status: 400, param: "presence_penalty", code: "unsupported_parameter"},
		{fields: chatWith("logit_bias", object{"5": 1}), status: 400, param: "logit_bias", code: "unsupported_parameter"},
		{fields: chatWith("temprature", 1), status: 400, param: "temprature", code: "unknown_parameter"},
		{fields: chatWith("chat_template", "x"), status: 400, param: "chat_template", code: "unknown_parameter"},
		{fields: chatWith("temperature", 2.1), status: 400, param: "temperature"},
		{fields: chatWith("temperature", -1), status: 400, param: "temperature"},
		{fields: chatWith("temperature", "hot"), status: 400, param: "temperature"},
		{fields: chatWith("top_p", 1.5), status: 400, param: "top_p"},
		{fields: chatWith("top_k", -2), status: 400, param: "top_k"},
		{fields: chatWith("max_tokens", 0), status: 400, param: "max_tokens"},
		{fields: chatWith("max_tokens", 1.5), status: 400, param: "max_tokens"},
		{fields: chatWith("max_completion_tokens", 2), status: 400, param: "max_completion_tokens"},
		{fields: chatWith("max_tokens", maxLen), status: 400, param: "max_tokens", code: "context_length_exceeded"},
		{fields: chatWith("seed", "x"), status: 400, param: "seed"},
		{fields: chatWith("stop", ""), status: 400, param: "stop"},
		{fields: chatWith("stop", 5), status: 400, param: "stop"},
		{fields: chatWith("stop", strings.Split(strings.Repeat("a", 17), "")), status: 400, param: "stop"},
		{fields: chatWith("stream_options", object{"include_usage": true}), status: 400, param: "stream_options"},
		{fields: chatWith("stream", "yes"), status: 400, param: "stream"},
		{fields: chatWith("messages", []object{{"role": "user", "content": strings.Repeat("word ", 600)}}), status: 400, param: "messages", code: "context_length_exceeded"},
		{path: "/v1/completions", fields: object{}, status: 400, param: "prompt"},
		{path: "/v1/completions", fields: object{"prompt": []string{"a", "b"}}, status: 400, param: "prompt"},
		{path: "/v1/completions", fields: object{"prompt": []int{}}, status: 400, param: "prompt"},
		{path: "/v1/completions", fields: object{"prompt": []int{1, -1}}, status: 400, param: "prompt"},
		{path: "/v1/completions", fields: object{"prompt": []int{99999}}, status: 400, param: "prompt"},
		{path: "/v1/completions", fields: object{"prompt": "a", "echo": true}, status: 400, param: "echo", code: "unsupported_parameter"},
		{path: "/v1/completions", fields: object{"prompt": "a", "best_of": 3}, status: 400, param: "best_of", code: "unsupported_parameter"},
		{path: "/v1/completions", fields: object{"prompt": strings.Repeat("word ", 600)}, status: 400, param: "prompt", code: "context_length_exceeded"},
		{path: "/v1/completions", body: `{"prompt": "` + strings.Repeat("a", 5<<20) + `"}`, status: 413, code: "request_too_large"},
		{path: "/v1/embeddings", status: 404, code: "not_found"},
	}
	for _, c := range cases {
		var body any = c.body
		if c.fields != nil {
			body = c.fields
		}
		if c.path == "" {
			c.path = "/v1/chat/completions"
		}
		status, e := ask(t, "POST", url+c.path, body, nil)
		what := fmt.Sprintf("%.200v: %s", body, e.Message)
		require.Equal(t, c.status, status, what)
		require.Equal(t, c.code, e.Code, what)
		if c.param != "" {
			require.Equal(t, c.param, e.Param, what)
		}
	}
	_, e := ask(t, "POST", url+"/v1/chat/completions", chatWith("temprature", 1), nil)
	require.Contains(t, e.Message, "did you mean temperature?")
	status, e := ask(t, "GET", url+"/v1/chat/completions", "", nil)
	require.Equal(t, 405, status)
	require.Equal(t, "method_not_allowed", e.Code)
}

// TestAccepts: parameters that ask for nothing, and those that only say who asks.
func TestAccepts(t *testing.T) {
	t.Parallel()
	url := start(t, "qwen2")
	body := object{
		"model": "tiny", "max_tokens": 1, "max_completion_tokens": 1, "temperature": 0.5, "top_p": 0, "top_k": -1, "seed": -3, "stop": nil,
		"n": 1, "logprobs": false, "tools": []any{}, "tool_choice": "auto", "response_format": object{"type": "text"}, "presence_penalty": 0,
		"frequency_penalty": 0.0, "logit_bias": object{}, "user": "me", "metadata": object{"a": "b"}, "stream": false, "stream_options": nil,
		"ignore_eos": true, "chat_template_kwargs": object{"enable_thinking": false}, "repetition_penalty": 1.0, "functions": nil,
		"messages": []object{
			{"role": "user", "content": []object{{"type": "text", "text": "a"}, {"type": "text", "text": "b"}}, "name": "me"},
			{"role": "assistant", "content": "x", "refusal": nil, "tool_calls": []any{}, "annotations": []any{}},
			{"role": "user", "content": "c"},
		},
	}
	var a answer
	status, e := ask(t, "POST", url+"/v1/chat/completions", body, &a)
	require.Equal(t, 200, status, e.Message)
	require.Equal(t, 1, a.Usage.CompletionTokens)
}

func FuzzRequests(f *testing.F) {
	b := backend(f, "llama")
	s := server.New("tiny")
	s.Serve(b)
	f.Add("/v1/chat/completions", `{"messages":[{"role":"user","content":"Hi"}],"max_tokens":1,"stop":["a"],"stream":true}`)
	f.Add("/v1/chat/completions", `{"messages":[{"role":"user","content":[{"type":"text","text":"x"}]}],"max_tokens":2,"seed":1,"temperature":1e-9}`)
	f.Add("/v1/completions", `{"prompt":[1,2],"max_tokens":1,"top_p":0.1,"n":1}`)
	f.Add("/v1/completions", `{"prompt":"\ud800","max_tokens":1,"temperature":0,"logit_bias":{}}`)
	f.Fuzz(func(t *testing.T, path, body string) {
		if path != "/v1/completions" {
			path = "/v1/chat/completions"
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(body)))
		require.Contains(t, []int{200, 400, 404}, w.Code, w.Body.String())
	})
}
