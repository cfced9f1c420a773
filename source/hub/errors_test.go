package hub_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/spinup-llm/spinup/internal/hubtest"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
)

// stocked has a public model and one of each other sort.
func stocked(t *testing.T) *hubtest.Hub {
	t.Helper()
	h := hubtest.New(t)
	for name, access := range map[string]hubtest.Access{
		id: {}, "acme/gated": {Gated: true}, "acme/private": {Private: true}, "acme/disabled": {Disabled: true},
	} {
		h.Put(name, "config.json", []byte("{}"))
		h.Put(name, "model.safetensors", []byte(text(1000)))
		h.Restrict(name, access)
	}
	h.Branch(id, "v1.0")
	h.Branch(id, "refs/pr/1")
	return h
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	h := stocked(t)
	for name, c := range map[string]struct {
		uri, token string
		kind       lifecycle.Kind
		says       []string
	}{
		"model":    {"hf://acme/tinny", "", lifecycle.NotFound, []string{`did you mean "acme/tiny"?`, "or set HF_TOKEN if the model is private", "hf://ORG/NAME"}},
		"known":    {"hf://acme/tinny", hubtest.Stranger, lifecycle.NotFound, []string{"whether the token from HF_TOKEN may see it"}},
		"nobody":   {"hf://nobody/nothing", "", lifecycle.NotFound, []string{"check the name"}},
		"revision": {"hf://acme/tiny@v1.1", "", lifecycle.NotFound, []string{"Invalid rev id: v1.1", `did you mean "v1.0"?`, "/acme/tiny/branches"}},
		"far":      {"hf://acme/tiny@production", "", lifecycle.NotFound, []string{`there are "main", "v1.0"`}},
		"commit":   {"hf://acme/tiny@0123456789012345678901234567890123456789", "", lifecycle.NotFound, []string{"check the revision"}},
		"private":  {"hf://acme/private", "", lifecycle.NotFound, []string{"set HF_TOKEN"}},
		"disabled": {"hf://acme/disabled", hubtest.Token, lifecycle.AccessDenied, []string{"the hub has disabled this model"}},
		"token":    {"hf://acme/tiny", "hf_canaryWrong", lifecycle.Unauthenticated, []string{"Invalid credentials", "a token was looked for in HF_TOKEN (used)", "/settings/tokens"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := open(t, c.uri, with(h.Env(), "HF_TOKEN", c.token)).Resolve(t.Context())
			require.ErrorIs(t, err, c.kind)
			require.ErrorContains(t, err, "source.Resolve "+c.uri+": ")
			for _, part := range c.says {
				require.ErrorContains(t, err, part)
			}
			require.NotContains(t, dump(err), "canary")
		})
	}
}

func TestGated(t *testing.T) {
	t.Parallel()
	h := stocked(t)
	for token, hint := range map[string]string{
		"":               "accept the licence at " + h.URL + "/acme/gated, then set HF_TOKEN; a token was looked for in HF_TOKEN (not set), HUGGING_FACE_HUB_TOKEN (not set), the file ",
		hubtest.Stranger: "accept the licence at " + h.URL + "/acme/gated with the account of the token from HF_TOKEN",
	} {
		src := open(t, "hf://acme/gated", with(h.Env(), "HF_TOKEN", token))
		for _, f := range resolve(t, src).Files {
			_, err := read(t, src, f, 0, -1)
			require.ErrorIs(t, err, lifecycle.Gated)
			require.ErrorContains(t, err, hint)
			require.ErrorContains(t, err, "source.Read hf://acme/gated/"+f.Path)
		}
	}
	src := open(t, "hf://acme/gated", with(h.Env(), "HF_TOKEN", hubtest.Token))
	require.Equal(t, text(1000), mustRead(t, src, listed(t, src, "model.safetensors"), 0, -1))
}

// Each request, at whichever step, has the kind of its answer.
func TestStatus(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		do    hubtest.Action
		kind  lifecycle.Kind
		after time.Duration
	}{
		"429":           {hubtest.Status(429, "", "Retry-After", "7"), lifecycle.Throttled, 7 * time.Second},
		"429 ratelimit": {hubtest.Status(429, "", "RateLimit", `"api";r=0;t=55`, "Retry-After", "7"), lifecycle.Throttled, 56 * time.Second},
		"429 two":       {hubtest.Status(429, "", "RateLimit", `"api";r=3;t=55, "resolvers";r=0;t=5`), lifecycle.Throttled, 6 * time.Second},
		"429 mute":      {hubtest.Status(429, ""), lifecycle.Throttled, 0},
		"429 absurd":    {hubtest.Status(429, "", "Retry-After", "99999999999999999999"), lifecycle.Throttled, 0},
		"503":           {hubtest.Status(503, "", "Retry-After", "3"), lifecycle.Unavailable, 3 * time.Second},
		"500":           {hubtest.Status(500, ""), lifecycle.Unavailable, 0},
		"504":           {hubtest.Status(504, ""), lifecycle.Unavailable, 0},
		"408":           {hubtest.Status(408, ""), lifecycle.Unavailable, 0},
		"304":           {hubtest.Status(304, ""), lifecycle.Unavailable, 0},
		"302 to nobody": {hubtest.Status(302, ""), lifecycle.Unavailable, 0},
		"cut":           {hubtest.Cut(0), lifecycle.Unavailable, 0},
	} {
		for _, path := range []string{"/revision/", "/tree/", "/resolve/"} {
			t.Run(name+" "+path, func(t *testing.T) {
				t.Parallel()
				h := stocked(t)
				h.Break(hubtest.Fault{Path: path, Do: c.do})
				src := open(t, "hf://acme/tiny", h.Env())
				m, err := src.Resolve(t.Context())
				if path == "/resolve/" {
					require.NoError(t, err)
					_, err = src.Open(t.Context(), m.Files[0], 0, -1)
				}
				if name == "cut" && path == "/resolve/" {
					return // a redirect has no body
				}
				require.ErrorIs(t, err, c.kind)
				require.Equal(t, c.after, source.RetryAfter(err))
				require.NotEmpty(t, hints(err))
			})
		}
	}
}

func hints(err error) (all []string) {
	for h := range lifecycle.Hints(err) {
		all = append(all, h)
	}
	return all
}

func TestStatusOfBytes(t *testing.T) {
	t.Parallel()
	for status, kind := range map[int]lifecycle.Kind{
		429: lifecycle.Throttled, 503: lifecycle.Unavailable, 500: lifecycle.Unavailable, 403: lifecycle.Unavailable,
		416: lifecycle.Corrupt,
	} {
		h := stocked(t)
		h.Break(hubtest.Fault{CDN: true, Do: hubtest.Status(status, "", "Retry-After", "4")})
		src := open(t, "hf://acme/tiny", h.Env())
		_, err := read(t, src, listed(t, src, "model.safetensors"), 0, -1)
		require.ErrorIs(t, err, kind)
		require.Equal(t, 4*time.Second, source.RetryAfter(err))
	}
}

// What is not the hub's answer is not taken for one.
func TestOtherAnswers(t *testing.T) {
	t.Parallel()
	text := func(s string) hubtest.Action {
		return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { _, _ = w.Write([]byte(s)) }
	}
	for name, f := range map[string]hubtest.Fault{
		"page":        {Path: "/revision/", Do: text("<html>log in</html>")},
		"no sha":      {Path: "/revision/", Do: text(`{"id":"acme/tiny"}`)},
		"evil sha":    {Path: "/revision/", Do: text(`{"id":"acme/tiny","sha":"../../etc"}`)},
		"tree page":   {Path: "/tree/", Do: text("<html>log in</html>")},
		"tree object": {Path: "/tree/", Do: text(`{"error":"x"}`)},
		"tree oid":    {Path: "/tree/", Do: text(`[{"type":"file","path":"a","oid":"x","size":1}]`)},
		"tree lfs":    {Path: "/tree/", Do: text(`[{"type":"file","path":"a","oid":"x","size":1,"lfs":{"oid":"x"}}]`)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := stocked(t)
			h.Break(f)
			_, err := open(t, "hf://acme/tiny", h.Env()).Resolve(t.Context())
			require.ErrorIs(t, err, lifecycle.Unavailable)
			require.ErrorContains(t, err, "HF_ENDPOINT ("+h.URL+")")
		})
	}
}

// A listing cannot name what lies outside of the model.
func TestNamesThatEscape(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"../x", "a/../../x", "/etc/x", `..\\x`, "a//b", ""} {
		h := stocked(t)
		h.Break(hubtest.Fault{Path: "/tree/", Do: func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			_, _ = w.Write([]byte(`[{"type":"file","path":"` + name + `","oid":"0123456789012345678901234567890123456789","size":1}]`))
		}})
		_, err := open(t, "hf://acme/tiny", h.Env()).Resolve(t.Context())
		require.ErrorIs(t, err, lifecycle.Invalid, name)
	}
}

// Answers without a code of the hub are judged by their status.
func TestStatusWithoutCode(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status  int
		token   string
		listing lifecycle.Kind
		reading lifecycle.Kind
		hint    string
	}{
		{401, "", lifecycle.Unauthenticated, lifecycle.Unauthenticated, "set HF_TOKEN to a valid token"},
		{403, "", lifecycle.AccessDenied, lifecycle.AccessDenied, "set HF_TOKEN to a token that may read"},
		{403, hubtest.Token, lifecycle.AccessDenied, lifecycle.AccessDenied, "give the token from HF_TOKEN permission to read"},
		{404, "", lifecycle.NotFound, lifecycle.MissingFile, ""},
		{400, "", lifecycle.Invalid, lifecycle.Invalid, "hf://ORG/NAME"},
	} {
		h := stocked(t)
		src := open(t, "hf://acme/tiny", with(h.Env(), "HF_TOKEN", c.token))
		f := listed(t, src, weights)
		h.Break(hubtest.Fault{Do: hubtest.Status(c.status, "", "X-Error-Message", strings.Repeat("long ", 100))})
		_, err := src.Resolve(t.Context())
		require.ErrorIs(t, err, c.listing)
		require.ErrorContains(t, err, c.hint)
		require.Less(t, len(err.Error()), 900)
		_, err = src.Open(t.Context(), f, 0, -1)
		require.ErrorIs(t, err, c.reading)
		require.ErrorContains(t, err, c.hint)
	}
}

// The reason may stand in the body alone.
func TestMessageInTheBody(t *testing.T) {
	t.Parallel()
	h := stocked(t)
	h.Break(hubtest.Fault{Path: "/revision/", Do: func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte(`{"error":"Access to this resource\n is disabled."}`))
	}})
	_, err := open(t, "hf://acme/tiny", h.Env()).Resolve(t.Context())
	require.ErrorIs(t, err, lifecycle.AccessDenied)
	require.ErrorContains(t, err, "the hub has disabled this model")
}

// A link that worked is not asked for again because its server is in trouble.
func TestTroubleIsNoExpiry(t *testing.T) {
	t.Parallel()
	h := stocked(t)
	src := open(t, "hf://acme/tiny", h.Env())
	f := listed(t, src, weights)
	mustRead(t, src, f, 0, -1)
	h.Break(hubtest.Fault{CDN: true, Times: 1, Do: hubtest.Status(503, "")})
	_, err := src.Open(t.Context(), f, 0, -1)
	require.ErrorIs(t, err, lifecycle.Unavailable)
	mustRead(t, src, f, 0, -1)
	require.Equal(t, 1, count(h, false, "/resolve/"))
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	_, err := open(t, "hf://acme/tiny", lifecycle.EnvVars{"HF_ENDPOINT": "http://127.0.0.1:1"}).Resolve(t.Context())
	require.ErrorIs(t, err, lifecycle.Unavailable)
	require.ErrorContains(t, err, "check the network, the proxy, and HF_ENDPOINT (http://127.0.0.1:1)")
}

// A hub that never answers is given up in time.
func TestSilence(t *testing.T) {
	t.Parallel()
	h := stocked(t)
	silent := func(_ http.ResponseWriter, r *http.Request, _ http.Handler) { <-r.Context().Done() }
	f := listed(t, open(t, "hf://acme/tiny", h.Env()), weights)
	h.Break(hubtest.Fault{CDN: true, Do: silent})
	h.Break(hubtest.Fault{Path: "/revision/", Do: silent})
	_, err := open(t, "hf://acme/tiny", with(h.Env(), "HF_HUB_ETAG_TIMEOUT", "0.2")).Resolve(t.Context())
	require.ErrorIs(t, err, lifecycle.Unavailable)
	require.ErrorContains(t, err, "did not answer within 200ms")
	src := open(t, "hf://acme/tiny", with(h.Env(), "HF_HUB_DOWNLOAD_TIMEOUT", "0.3")) // the hub answers in its own time
	_, err = src.Open(t.Context(), f, 0, -1)
	require.ErrorIs(t, err, lifecycle.Unavailable)
	require.ErrorContains(t, err, "did not answer within 300ms")
}

func TestOffline(t *testing.T) {
	t.Parallel()
	h := stocked(t)
	f := listed(t, open(t, "hf://acme/tiny", h.Env()), "config.json")
	before := len(h.Requests())
	for _, key := range []string{"HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"} {
		src := open(t, "hf://acme/tiny", with(h.Env(), key, "1"))
		_, err := src.Resolve(t.Context())
		require.ErrorIs(t, err, lifecycle.NotFound)
		require.ErrorContains(t, err, "unset "+key)
		_, err = src.Open(t.Context(), f, 0, -1)
		require.ErrorIs(t, err, lifecycle.MissingFile)
	}
	require.Len(t, h.Requests(), before)
}
