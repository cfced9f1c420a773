package s3_test

import (
	"maps"
	"testing"

	"github.com/spinup-llm/spinup/internal/s3test"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

// each runs a test with every real server.
func each(t *testing.T, test func(*testing.T, *s3test.Server)) {
	t.Helper()
	for name, start := range s3test.Real() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, start(t))
		})
	}
}

// What goes wrong with a real server has the kind and the hint that it has with the fake.
func TestServerErrors(t *testing.T) {
	t.Parallel()
	each(t, testServerErrors)
}

func testServerErrors(t *testing.T, srv *s3test.Server) {
	t.Helper()
	srv.Put(t, "models", "llama/config.json", []byte("{}"))
	srv.Put(t, "models", "llama-13b/config.json", []byte("{}"))
	srv.Put(t, "private", "llama/config.json", []byte("{}"))
	srv.Public(t, "models")
	for name, c := range map[string]struct {
		uri    string
		change lifecycle.EnvVars
		kind   lifecycle.Kind
		hint   string
	}{
		"bucket":       {"s3://model/llama", nil, lifecycle.NotFound, `did you mean "models"?`},
		"prefix":       {"s3://models/lama", nil, lifecycle.NotFound, `in s3://models did you mean "llama"?`},
		"not a folder": {"s3://models/llam", nil, lifecycle.NotFound, `did you mean "llama" or "llama-13b"?`},
		"object":       {"s3://models/llama/confg.json", nil, lifecycle.NotFound, `in s3://models/llama did you mean "config.json"?`},
		"secret":       {"s3://models/llama", lifecycle.EnvVars{"AWS_SECRET_ACCESS_KEY": "canary"}, lifecycle.Unauthenticated, "check AWS_SECRET_ACCESS_KEY"},
		"key id":       {"s3://models/llama", lifecycle.EnvVars{"AWS_ACCESS_KEY_ID": "canary"}, lifecycle.Unauthenticated, "does not know these keys"},
		"anonymous":    {"s3://anonymous@private/llama", nil, lifecycle.AccessDenied, "allow s3:ListBucket on arn:aws:s3:::private to everybody"},
		"no keys":      {"s3://private/llama", lifecycle.EnvVars{"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, lifecycle.Unauthenticated, "tried in this order"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := maps.Clone(srv.Env())
			maps.Copy(env, c.change)
			_, err := open(t, c.uri, env).Resolve(t.Context())
			require.ErrorIs(t, err, c.kind)
			require.ErrorContains(t, err, c.hint)
			require.NotContains(t, dump(err), "canary")
		})
	}
}

func TestServerAnonymous(t *testing.T) {
	t.Parallel()
	each(t, testServerAnonymous)
}

func testServerAnonymous(t *testing.T, srv *s3test.Server) {
	t.Helper()
	srv.Put(t, "models", "llama/config.json", []byte("{}"))
	srv.Public(t, "models")
	env := lifecycle.EnvVars{"AWS_ENDPOINT_URL": srv.Endpoint}
	src := open(t, "s3://anonymous@models/llama", env)
	m, err := src.Resolve(t.Context())
	require.NoError(t, err)
	require.Equal(t, "s3://models/llama", m.URI)
	require.Equal(t, "{}", readAll(t, src, m.Files[0]))
}

// The real server refuses another region's signature; the driver goes on with its own.
func TestServerRegion(t *testing.T) {
	t.Parallel()
	each(t, testServerRegion)
}

func testServerRegion(t *testing.T, srv *s3test.Server) {
	t.Helper()
	srv.Put(t, "models", "llama/config.json", []byte("{}"))
	env := maps.Clone(srv.Env())
	env["AWS_REGION"] = "eu-west-1"
	require.Len(t, resolve(t, env).Files, 1)
}
