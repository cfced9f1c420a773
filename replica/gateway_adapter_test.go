package replica_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/replica"
	"github.com/spinup-llm/spinup/replica/local"
	"github.com/stretchr/testify/require"
)

// loads makes a fake an AdapterLoader that takes everything.
type loads struct{ *fake }

func (loads) LoadAdapter(context.Context, string) error   { return nil }
func (loads) UnloadAdapter(context.Context, string) error { return nil }

// adapterDoor is a gateway with the model "m", whose adapters are "sql" and "team/sql".
func adapterDoor(t *testing.T, o *replica.GatewayOptions) *replica.Gateway {
	t.Helper()
	f := fleet{handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })}
	find := func(_ context.Context, name string) error {
		if name == "sql" || name == "team/sql" {
			return nil
		}
		return &lifecycle.Error{Kind: lifecycle.NotFound, Err: errors.New("secret place"), Hint: `did you mean "sql"?`}
	}
	start := func(ctx context.Context, s lifecycle.Scope, n replica.Node) (replica.Instance, error) {
		i, err := f.start(ctx, s, n)
		return loads{i.(*fake)}, err
	}
	set := replica.NewSet(new(local.Provisioner), start, &replica.SetOptions{
		Scope: lifecycle.Scope{Model: "m"}, Logger: slog.New(slog.DiscardHandler),
		Adapters: &replica.Adapters{Find: find, Bring: find},
	})
	set.Want(1)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- set.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	plain, _, _ := running(t, new(fleet), 1)
	ready(t, plain, 1)
	return replica.NewGateway(o,
		replica.Model{ID: "m", Aliases: map[string]string{"gpt": "", "text2sql": "sql"}, Created: time.Unix(7, 0), Set: set},
		replica.Model{ID: "m:exact", Set: plain})
}

func TestGatewayTakesAdapters(t *testing.T) {
	t.Parallel()
	g := adapterDoor(t, nil)
	for body, engine := range map[string]string{
		`{"model":"m:sql", "x":"ü"}`:     `{"model":"m:sql", "x":"ü"}`, // byte for byte
		`{"model":"m:team/sql"}`:         `{"model":"m:team/sql"}`,
		`{"model":"gpt:sql","stream":0}`: `{"model":"m:sql","stream":0}`,
		`{"model":"text2sql"}`:           `{"model":"m:sql"}`,
		`{"model":"m"}`:                  `{"model":"m"}`,
		`{"model":"m:exact"}`:            "ok",
	} {
		w, _ := post(t, g, "/v1/embeddings", body)
		require.Equal(t, http.StatusOK, w.Code, w.Body)
		require.Equal(t, engine, w.Body.String())
	}
	for name, says := range map[string]string{
		"m:sqk": `adapter sqk: not found (did you mean \"sql\"?)`, "m:": "does not exist", "text2sql:sql": "does not exist", "x:sql": "does not exist",
		"m:exact:sql": "does not exist", "m:" + strings.Repeat("x", 500): "adapter " + strings.Repeat("x", 200) + ":",
	} {
		w, e := post(t, g, "/v1/embeddings", `{"model":"`+name+`"}`)
		require.Equal(t, http.StatusNotFound, w.Code, name)
		require.Equal(t, "model_not_found", e.Error.Code)
		require.Contains(t, w.Body.String(), says)
		require.NotContains(t, w.Body.String(), "secret place")
	}
}

func TestGatewayListsAdapters(t *testing.T) {
	t.Parallel()
	g := adapterDoor(t, nil)
	get := func(path string) (int, string) {
		w := httptest.NewRecorder()
		g.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		return w.Code, w.Body.String()
	}
	_, list := get("/v1/models")
	require.NotContains(t, list, `"m:sql","object"`, "only what is loaded is listed")
	const card = `{"id":"m:sql","object":"model","created":7,"owned_by":"spinup","parent":"m"}`
	for range 2 {
		code, body := get("/v1/models/m:sql")
		require.Equal(t, http.StatusOK, code)
		require.JSONEq(t, card, body)
		w, _ := post(t, g, "/v1/completions", `{"model":"m:sql"}`)
		require.Equal(t, http.StatusOK, w.Code)
	}
	_, list = get("/v1/models")
	require.Contains(t, list, card)
	require.Contains(t, list, `{"id":"text2sql","object":"model","created":7,"owned_by":"spinup","root":"m:sql","parent":"m"}`)
	code, body := get("/v1/models/m:sqk")
	require.Equal(t, http.StatusNotFound, code)
	require.Contains(t, body, "did you mean")
}

func TestAKeyForAModelOpensItsAdapters(t *testing.T) {
	t.Parallel()
	g := adapterDoor(t, &replica.GatewayOptions{Keys: replica.Keys{replica.NewKey("mine", "m"), replica.NewKey("theirs", "m:exact")}})
	for key, want := range map[string]int{"mine": http.StatusOK, "theirs": http.StatusNotFound} {
		for _, name := range []string{"m:sql", "gpt:sql", "text2sql"} {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/completions", strings.NewReader(`{"model":"`+name+`"}`))
			r.Header.Set("Authorization", "Bearer "+key)
			w := httptest.NewRecorder()
			g.ServeHTTP(w, r)
			require.Equal(t, want, w.Code, key+" "+name)
			if want != http.StatusOK {
				require.NotContains(t, w.Body.String(), "did you mean")
			}
		}
	}
}
