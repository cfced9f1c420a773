package enginetest

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

const (
	port   = "45679"
	canary = "enginetest-secret-7f3a9c"
)

func (c Config) command(t *testing.T) {
	t.Parallel()
	spec := c.Spec
	spec.Addr = "127.0.0.1:" + port
	spec.Env = lifecycle.EnvVars{"ENGINETEST_TOKEN": canary}
	maps.Copy(spec.Env, c.Spec.Env)
	before := fmt.Sprintf("%#v %v", spec.Kwargs, spec.Env.Environ())
	cmd, err := c.Engine.Command(spec)
	require.NoError(t, err)
	again, err := c.Engine.Command(spec)
	require.NoError(t, err)
	require.Equal(t, cmd, again, "equal specs make equal commands")
	require.Equal(t, before, fmt.Sprintf("%#v %v", spec.Kwargs, spec.Env.Environ()), "Command changes nothing of its spec")

	require.True(t, filepath.IsAbs(cmd.Path) || filepath.Base(cmd.Path) == cmd.Path, "Path %q depends on the working folder", cmd.Path)
	require.True(t, strings.HasPrefix(cmd.ReadyPath, "/"), "ReadyPath %q", cmd.ReadyPath)
	require.True(t, strings.HasPrefix(cmd.AlivePath, "/"), "AlivePath %q", cmd.AlivePath)
	if cmd.Warmup != nil {
		require.True(t, strings.HasPrefix(cmd.Warmup.Path, "/"), "Warmup.Path %q", cmd.Warmup.Path)
	}
	args, env := strings.Join(cmd.Args, "\n"), strings.Join(cmd.Env.Environ(), "\n")
	require.Contains(t, args+env, port, "the engine is told where to listen")
	require.NotContains(t, args, canary, "every user of the machine can read the arguments")
	c.requireComplete(t, spec, cmd)
}

// requireComplete fails t unless the environment holds what it must, and not the whole of
// this process's.
func (c Config) requireComplete(t *testing.T, spec engine.Spec, cmd engine.Command) {
	t.Helper()
	for k, v := range spec.Env {
		require.Equal(t, v, cmd.Env[k], "Spec.Env's %s reaches the engine", k)
	}
	base := engine.BaseEnv(os.Environ())
	require.Contains(t, cmd.Env, "PATH")
	inherited := func(kv string) bool {
		k, v, _ := strings.Cut(kv, "=")
		return cmd.Env[k] == v
	}
	rest := slices.DeleteFunc(os.Environ(), func(kv string) bool {
		k, _, _ := strings.Cut(kv, "=")
		return base[k] != ""
	})
	if len(rest) > 3 {
		require.True(t, slices.ContainsFunc(rest, func(kv string) bool { return !inherited(kv) }),
			"the host's environment is not for the engine")
	}
}
