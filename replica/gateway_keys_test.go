package replica_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/spinup-llm/spinup/replica"
	"github.com/stretchr/testify/require"
)

// door returns a gateway for two models, "a" with the alias "gpt", and "b", and what their
// engines were asked.
func door(t *testing.T, o *replica.GatewayOptions) (http.Handler, func() *http.Request) {
	t.Helper()
	asked := make(chan *http.Request, 100)
	f := fleet{handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body strings.Builder
		_ = r.Write(&body)
		asked <- r
		w.Header().Set("Access-Control-Allow-Origin", r.Header.Get("Origin"))
		_, _ = w.Write([]byte(body.String()))
	})}
	a, _, _ := running(t, &f, 1)
	b, _, _ := running(t, &f, 1)
	ready(t, a, 1)
	ready(t, b, 1)
	return replica.NewGateway(o, replica.Model{ID: "a", Aliases: map[string]string{"gpt": ""}, Set: a}, replica.Model{ID: "b", Set: b}),
		func() *http.Request { return <-asked }
}

// call sends a request with headers, given as names and values, and returns its answer.
func call(t *testing.T, h http.Handler, method, path, body string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestKeys(t *testing.T) {
	t.Parallel()
	keys := replica.Keys{replica.NewKey("canary-all"), replica.NewKey("canary-b", "b"), replica.NewKey("")}
	h, asked := door(t, &replica.GatewayOptions{Keys: keys})
	for _, c := range []struct {
		authorization, model string
		status               int
	}{
		{"", "a", 401},
		{"Bearer ", "a", 401},
		{"Bearer wrong", "a", 401},
		{"canary-all", "a", 401},
		{"Basic canary-all", "a", 401},
		{"Bearer canary-al", "a", 401},
		{"Bearer canary-all", "a", 200},
		{"bearer canary-all", "b", 200},
		{"Bearer canary-b", "b", 200},
		{"Bearer canary-b", "a", 404},
		{"Bearer canary-b", "gpt", 404},
	} {
		w := call(t, h, http.MethodPost, "/v1/completions", `{"model":"`+c.model+`"}`, "Authorization", c.authorization)
		require.Equal(t, c.status, w.Code, "%+v: %s", c, w.Body.String())
		require.NotContains(t, w.Body.String(), "canary")
		switch w.Code {
		case http.StatusOK:
			require.NotContains(t, asked().Header.Get("Authorization"), "canary", "engines do not see keys")
		case http.StatusUnauthorized:
			require.Equal(t, "Bearer", w.Header().Get("WWW-Authenticate"))
			require.Contains(t, w.Body.String(), `"code":"invalid_api_key"`)
		case http.StatusNotFound:
			require.Contains(t, w.Body.String(), "known models: b")
			require.NotContains(t, w.Body.String(), "known models: a")
		}
	}
	require.NotContains(t, call(t, h, http.MethodGet, "/v1/models", "", "Authorization", "Bearer canary-b").Body.String(), `"a"`)
	require.Contains(t, call(t, h, http.MethodGet, "/v1/models", "", "Authorization", "Bearer canary-all").Body.String(), `"id":"gpt"`)
	require.Equal(t, 401, call(t, h, http.MethodGet, "/v1/models", "").Code)
	require.NotContains(t, fmt.Sprintf("%+v %#v %s", keys, keys, keys), "canary")
}

func TestProtectedPagesWantAKeyForAllModels(t *testing.T) {
	t.Parallel()
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	h := replica.Keys{replica.NewKey("all"), replica.NewKey("one", "a")}.Protect(page)
	require.Equal(t, 401, call(t, h, http.MethodGet, "/", "").Code)
	require.Equal(t, 401, call(t, h, http.MethodGet, "/", "", "Authorization", "Bearer one").Code)
	require.Equal(t, 200, call(t, h, http.MethodGet, "/", "", "Authorization", "Bearer all").Code)
	require.Equal(t, 200, call(t, replica.Keys(nil).Protect(page), http.MethodGet, "/", "").Code)
}

func ExampleKeys() {
	keys := replica.Keys{replica.NewKey("secret-of-all"), replica.NewKey("secret-of-one", "my_llama")}
	page := keys.Protect(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("status")) }))
	for _, key := range []string{"guess", "secret-of-one", "secret-of-all"} {
		r, w := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/debug/startup", nil), httptest.NewRecorder()
		r.Header.Set("Authorization", "Bearer "+key)
		page.ServeHTTP(w, r)
		fmt.Println(w.Code)
	}
	// Output:
	// 401
	// 401
	// 200
}
