package enginetest

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

// preload holds a driver that preloads to its promises.
func (c Config) preload(t *testing.T) {
	t.Parallel()
	driver, ok := c.Engine.(engine.Preloader)
	if !ok {
		return
	}
	spec := c.Spec
	spec.Dir, spec.Weights = "", nil
	spec.Env = lifecycle.EnvVars{"ENGINETEST_TOKEN": canary}
	maps.Copy(spec.Env, c.Spec.Env)
	preloaded, err := driver.Preload(spec)
	if c.CannotPreload != "" {
		require.Error(t, err, "it preloads, though %s", c.CannotPreload)
		requireHelpful(t, err, "Preload")
		return
	}
	require.NoError(t, err, "CannotPreload says why it may fail")
	require.NotContains(t, strings.Join(preloaded.Args, "\n"), canary, "every user of the machine can read the arguments")
	c.requireComplete(t, spec, preloaded)
	spec.Dir, spec.Weights, spec.Addr = c.Spec.Dir, c.Spec.Weights, "127.0.0.1:"+port
	cmd, err := driver.Command(spec)
	require.NoError(t, err)
	require.Equal(t, cmd.Vital, preloaded.Vital, "the same processes are vital")
	input, err := driver.Become(preloaded, cmd)
	require.NoError(t, err)
	again, err := driver.Become(preloaded, cmd)
	require.NoError(t, err)
	require.Equal(t, string(input), string(again), "equal commands make equal inputs")
	if c.CannotRun == "" {
		t.Run("told later", c.toldLater)
		t.Run("discard", c.discard)
	}
}

func (c Config) toldLater(t *testing.T) {
	t.Parallel()
	early, launcher := c.preloaded(t)
	p, err := early.Start(t.Context(), c.Spec)
	require.NoError(t, err)
	require.NoError(t, early.Err(), "the process could not become the engine, which started anew")
	t.Cleanup(func() { <-p.Done() })
	r := &running{Process: p, launcher: launcher}
	require.NoError(t, r.Ready(t.Context()))
	r.look()
	spec := c.Spec
	spec.Addr = r.Endpoint().Host
	cmd, err := c.Engine.Command(spec)
	require.NoError(t, err)
	r.requireAlive(t, cmd.AlivePath)
	c.answer(t, r.Endpoint())
	require.NoError(t, r.Stop(t.Context()))
	require.NoError(t, r.Err())
	events := slices.Collect(r.Events(t.Context()))
	told := slices.IndexFunc(events, func(e lifecycle.Event) bool {
		return e.Phase == lifecycle.Begin && e.Stage != lifecycle.StagePreload && e.Stage != lifecycle.StageCheck
	})
	requireAttributed(t, events[told:]) // before, it may have waited for this test
	r.requireGone(t)
}

func (c Config) discard(t *testing.T) {
	t.Parallel()
	early, launcher := c.preloaded(t)
	r := &running{launcher: launcher}
	r.look()
	require.NoError(t, early.Discard(t.Context()))
	r.requireGone(t)
}

func (c Config) preloaded(t *testing.T) (*engine.Preloaded, *spy) {
	t.Helper()
	spec := c.Spec
	spec.Dir, spec.Weights = "", nil
	opts, launcher := c.options()
	early := engine.Preload(t.Context(), c.Engine, spec, opts)
	require.NoError(t, early.Err(), "there is no process")
	return early, launcher
}
