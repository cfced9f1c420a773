package enginetest

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spinup-llm/spinup/engine"
	"github.com/stretchr/testify/require"
)

// adapters holds a driver that loads adapters to its promises.
func (c Config) adapters(t *testing.T) {
	t.Parallel()
	driver, ok := c.Engine.(engine.AdapterLoader)
	if !ok {
		return
	}
	spec := c.Spec
	spec.Adapters = 1
	for what, dir := range map[string]string{"a missing folder": filepath.Join(t.TempDir(), "missing"), "an empty folder": t.TempDir()} {
		err := driver.CheckAdapter(spec, engine.Adapter{Name: "none", Dir: dir})
		require.Error(t, err, "CheckAdapter accepts: %s", what)
		requireHelpful(t, err, what)
	}
	a := engine.Adapter{Name: `wi"th`, Dir: `/a "quoted" folder`}
	requireCall(t, driver.LoadAdapter, a, a.Name, a.Dir)
	requireCall(t, driver.UnloadAdapter, a, a.Name)
	if c.Adapter.Dir == "" {
		return
	}
	require.NoError(t, driver.CheckAdapter(spec, c.Adapter), "CheckAdapter refuses the good adapter")
	spec.Dir = ""
	require.NoError(t, driver.CheckAdapter(spec, c.Adapter), "the model's files may be still to come")
	if c.CannotRun == "" {
		t.Run("load", func(t *testing.T) {
			t.Parallel()
			c.loadAdapter(t, driver)
		})
	}
}

// requireCall fails t unless what the engine is asked is JSON that names all of the words.
func requireCall(t *testing.T, f func(engine.Adapter) engine.Call, a engine.Adapter, words ...string) {
	t.Helper()
	call := f(a)
	require.Equal(t, call, f(a), "equal adapters make equal calls")
	require.True(t, strings.HasPrefix(call.Path, "/"), "Path %q", call.Path)
	var body any
	require.NoError(t, json.Unmarshal(call.Body, &body), "%s", call.Body)
	for _, word := range words {
		quoted, err := json.Marshal(word)
		require.NoError(t, err)
		require.Contains(t, string(call.Body), string(quoted), "%s is told the adapter", call.Path)
	}
}

// loadAdapter loads the adapter twice, as after a load that was given up, and asks it.
func (c Config) loadAdapter(t *testing.T, driver engine.AdapterLoader) {
	t.Helper()
	c.Spec.Adapters = 1
	r := c.start(t.Context(), t)
	require.NoError(t, r.Ready(t.Context()))
	require.NoError(t, r.LoadAdapter(t.Context(), driver, c.Adapter))
	require.NoError(t, r.LoadAdapter(t.Context(), driver, c.Adapter), "it is there already")
	ask := c
	ask.Spec.ModelID = c.Adapter.Name
	ask.answer(t, r.Endpoint())
	require.NoError(t, r.UnloadAdapter(t.Context(), driver, c.Adapter))
	err := r.UnloadAdapter(t.Context(), driver, c.Adapter)
	require.Error(t, err, "it is not there any more")
	requireHelpful(t, err, "UnloadAdapter")
	require.NoError(t, r.Stop(t.Context()))
}
