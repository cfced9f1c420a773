package enginetest

import (
	"errors"
	"maps"
	"path/filepath"
	"testing"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

func (c Config) check(t *testing.T) {
	t.Parallel()
	name := c.Engine.Name()
	require.NotEmpty(t, name, "an engine has a name")
	require.NotContains(t, name, " ", "a name is one word")
	require.NoError(t, c.Engine.Check(c.Spec), "Check refuses the good spec")
	for what, spec := range c.bad(t) {
		err := c.Engine.Check(spec)
		require.Error(t, err, "Check accepts: %s", what)
		requireHelpful(t, err, what)
	}
}

func (c Config) bad(t *testing.T) map[string]engine.Spec {
	t.Helper()
	bad := map[string]engine.Spec{}
	for what, dir := range map[string]string{
		"no folder": "", "a missing folder": filepath.Join(t.TempDir(), "missing"), "an empty folder": t.TempDir(),
	} {
		spec := c.Spec
		spec.Dir, spec.Weights = dir, nil
		bad[what] = spec
	}
	maps.Copy(bad, c.Bad)
	return bad
}

// requireHelpful fails t unless err says what to do.
func requireHelpful(t *testing.T, err error, what string) {
	t.Helper()
	e, ok := errors.AsType[*lifecycle.Error](err)
	require.True(t, ok, "%s: %T is no *lifecycle.Error: %v", what, err, err)
	require.NotEqual(t, lifecycle.Unknown, e.Kind, "%s: an error has a kind: %v", what, err)
	require.NotEmpty(t, e.Hint, "%s: an error says what to do: %v", what, err)
}
