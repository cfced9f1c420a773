package replica_test

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/spinup-llm/spinup/replica"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestEveryEndpointReachesTheEngine(t *testing.T) {
	t.Parallel()
	h, asked := door(t, nil)
	for _, path := range []string{
		"/v1/responses", "/v1/messages", "/v1/rerank", "/v2/rerank", "/rerank", "/v1/score", "/score", "/pooling", "/classify",
		"/v1/audio/speech", "/tokenize", "/detokenize", "/v1/embeddings", "/v1/completions", "/v1/chat/completions",
	} {
		require.Equal(t, http.StatusOK, call(t, h, http.MethodPost, path, `{"model":"b"}`).Code, path)
		require.Equal(t, path, asked().URL.Path)
		require.Equal(t, http.StatusMethodNotAllowed, call(t, h, http.MethodGet, path, "").Code)
	}
	for _, path := range []string{"/v1/models", "/v1/models/b"} {
		w := call(t, h, http.MethodDelete, path, "")
		require.Equal(t, http.StatusMethodNotAllowed, w.Code)
		require.Equal(t, http.MethodGet, w.Header().Get("Allow"))
	}
}

// form makes an upload of audio for a model; none has no such field.
func form(t *testing.T, fields ...string) (body, contentType string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	require.NoError(t, w.SetBoundary("part-of-the-form"))
	file, err := w.CreateFormFile("file", "a.wav")
	require.NoError(t, err)
	_, _ = file.Write([]byte("RIFF\x00\xff\r\n--"))
	for i := 0; i+1 < len(fields); i += 2 {
		require.NoError(t, w.WriteField(fields[i], fields[i+1]))
	}
	require.NoError(t, w.Close())
	return b.String(), w.FormDataContentType()
}

func TestFormsNameTheirModel(t *testing.T) {
	t.Parallel()
	h, _ := door(t, nil)
	for _, path := range []string{"/v1/audio/transcriptions", "/v1/audio/translations"} {
		body, kind := form(t, "language", "en", "model", "b")
		w := call(t, h, http.MethodPost, path, body, "Content-Type", kind)
		require.Equal(t, http.StatusOK, w.Code, w.Body.String())
		require.Contains(t, w.Body.String(), body, "byte for byte")

		body, kind = form(t, "model", "gpt", "language", "en")
		renamed, _ := form(t, "model", "a", "language", "en")
		w = call(t, h, http.MethodPost, path, body, "Content-Type", kind)
		require.Equal(t, http.StatusOK, w.Code, w.Body.String())
		require.Contains(t, w.Body.String(), renamed[strings.Index(renamed, "RIFF"):])
	}
	body, kind := form(t, "language", "en")
	for _, c := range []struct{ body, code string }{
		{body, "missing_model"}, {"", "missing_model"}, {"--part-of-the-form\r\nno header\r\n\r\n", "invalid_form"},
	} {
		w := call(t, h, http.MethodPost, "/v1/audio/transcriptions", c.body, "Content-Type", kind)
		require.Equal(t, http.StatusBadRequest, w.Code)
		require.Contains(t, w.Body.String(), c.code)
	}
}

func TestAnAliasIsRenamedForTheEngine(t *testing.T) {
	t.Parallel()
	h, _ := door(t, nil)
	w := call(t, h, http.MethodPost, "/v1/completions", "{ \"prompt\": [1, {\"model\":\"gpt\"}], \"model\" : \"gpt\",\n\"n\":1e0 }")
	require.Equal(t, http.StatusOK, w.Code)
	require.Contains(t, w.Body.String(), "{ \"prompt\": [1, {\"model\":\"gpt\"}], \"model\" : \"a\",\n\"n\":1e0 }")
	require.Equal(t, http.StatusOK, call(t, h, http.MethodGet, "/v1/models/gpt", "").Code)
}

// TestRenamingChangesNothingElse compares with what stood around the name.
func TestRenamingChangesNothingElse(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[a-zé \[\]{}:,]{0,20}`)
		before := `{"x" : [ "` + text.Draw(t, "x") + `", {"model":null} ],` + "\n" + `"model":`
		after := rapid.SampledFrom([]string{" ", "\t", ""}).Draw(t, "blank") + `, "y":"` + text.Draw(t, "y") + `"}` + "\n"
		require.Equal(t, before+`"org/\"m"`+after, replica.Rename("", before+`"old"`+after, `org/"m`))
	})
}

func TestRequestsHaveIDs(t *testing.T) {
	t.Parallel()
	h, asked := door(t, nil)
	for _, path := range []string{"/v1/completions", "/nothing"} {
		made := map[string]bool{}
		for _, id := range []string{"", "mine-1", strings.Repeat("x", 129), "two words", "umläut"} {
			w := call(t, h, http.MethodPost, path, `{"model":"a"}`, "X-Request-Id", id)
			got := w.Header().Get("X-Request-Id")
			if id == "mine-1" {
				require.Equal(t, id, got)
			} else {
				require.NotEqual(t, id, got)
				require.GreaterOrEqual(t, len(got), 16)
			}
			require.False(t, made[got])
			made[got] = true
			if w.Code == http.StatusOK {
				require.Equal(t, got, asked().Header.Get("X-Request-Id"))
				continue
			}
			require.Contains(t, w.Body.String(), `"request_id":"`+got+`"`)
		}
	}
}

func TestPagesOfOtherOriginsAreRefusedByTheirBrowser(t *testing.T) {
	t.Parallel()
	closed, asked := door(t, nil)
	w := call(t, closed, http.MethodPost, "/v1/completions", `{"model":"a"}`, "Origin", "https://chat.example")
	require.Empty(t, w.Header().Get("Access-Control-Allow-Origin"))
	require.Empty(t, asked().Header.Get("Origin"), "an engine might allow it")

	h, _ := door(t, &replica.GatewayOptions{
		Origins: []string{"https://chat.example"}, Keys: replica.Keys{replica.NewKey("k")},
	})
	w = call(t, h, http.MethodOptions, "/v1/completions", "", "Origin", "https://chat.example",
		"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,x-stainless-os")
	require.Equal(t, http.StatusNoContent, w.Code)
	require.Equal(t, "https://chat.example", w.Header().Get("Access-Control-Allow-Origin"))
	require.Equal(t, "authorization,x-stainless-os", w.Header().Get("Access-Control-Allow-Headers"))
	w = call(t, h, http.MethodPost, "/v1/completions", `{"model":"a"}`, "Origin", "https://chat.example")
	require.Equal(t, http.StatusUnauthorized, w.Code)
	require.Equal(t, "https://chat.example", w.Header().Get("Access-Control-Allow-Origin"), "the page may read the error")
	w = call(t, h, http.MethodOptions, "/v1/completions", "", "Origin", "https://evil.example", "Access-Control-Request-Method", "POST")
	require.Empty(t, w.Header().Get("Access-Control-Allow-Origin"))
	require.Equal(t, "Origin", w.Header().Get("Vary"))
}

// FuzzGateway sends any body, as JSON and as a form.
func FuzzGateway(f *testing.F) {
	f.Add(`{"model":"m"}`, "application/json")
	f.Add(`{"model":"m","Model":"n"}`, "")
	f.Add("--x\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nm\r\n--x--", "multipart/form-data; boundary=x")
	f.Fuzz(func(t *testing.T, body, kind string) {
		name, ok := replica.ModelField(kind, body)
		if !ok || strings.Contains(name, "\xff") {
			return
		}
		renamed := replica.Rename(kind, body, "new")
		got, ok := replica.ModelField(kind, renamed)
		require.True(t, ok, "%q", renamed)
		require.Equal(t, "new", got, "%q", renamed)
	})
}

func TestAnEngineThatLacksAnEndpointSaysSo(t *testing.T) {
	t.Parallel()
	f := fleet{handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Request-Id", "the engine's")
		status := http.StatusNotFound
		if r.URL.Path == "/score" {
			status = http.StatusMethodNotAllowed
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(r.Header.Get("Say")))
	})}
	set, _, _ := running(t, &f, 1)
	ready(t, set, 1)
	h := replica.NewGateway(nil, replica.Model{ID: "m", Set: set})
	for _, says := range []string{
		"404 page not found", `{"detail":"Not Found"}`, `{"error":{"message":"Not Found","code":404}}`, "",
	} {
		for _, path := range []string{"/v1/rerank", "/score"} {
			w := call(t, h, http.MethodPost, path, `{"model":"m"}`, "Say", says, "X-Request-Id", "mine")
			require.Equal(t, http.StatusNotFound, w.Code)
			require.JSONEq(t, `{"error":{"message":"the engine of this model does not have POST `+path+`","type":"invalid_request_error",`+
				`"param":null,"code":"unsupported_endpoint","request_id":"mine"}}`, w.Body.String())
			require.Equal(t, []string{"mine"}, w.Header().Values("X-Request-Id"))
		}
	}
	for _, own := range []string{
		`{"error":{"message":"no such adapter","code":404}}`, `{"error":"model not found"}`, `{"detail":"no such adapter"}`,
		`{"object":"error","message":"no such adapter"}`, `{"why":"no such adapter"}`,
	} {
		require.JSONEq(t, own, call(t, h, http.MethodPost, "/score", `{"model":"m"}`, "Say", own).Body.String())
	}
	require.Eventually(t, func() bool { return inflight(set) == 0 }, 5*time.Second, time.Millisecond)
}
