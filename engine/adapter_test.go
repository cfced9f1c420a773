//go:build unix

package engine_test

import (
	"testing"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/internal/fakeengine"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

func TestAdaptersAreLoadedIntoAProcess(t *testing.T) {
	t.Parallel()
	spec := fakeengine.Spec(t)
	spec.Adapters = 1
	p, err := engine.Start(t.Context(), fakeengine.Engine{}, spec, nil)
	require.NoError(t, err)
	t.Cleanup(func() { <-p.Done() })
	require.NoError(t, p.Ready(t.Context()))
	a, b := engine.Adapter{Name: "m:a", Dir: "/a"}, engine.Adapter{Name: "m:b", Dir: "/b"}
	require.NoError(t, p.LoadAdapter(t.Context(), fakeengine.Engine{}, a))
	require.NoError(t, p.LoadAdapter(t.Context(), fakeengine.Engine{}, a), "it has it, of a load that nobody waited for")
	err = p.LoadAdapter(t.Context(), fakeengine.Engine{}, b)
	require.ErrorIs(t, err, lifecycle.Invalid, "an engine that lives has a reason")
	require.ErrorContains(t, err, "there are 1 adapters already")
	require.NoError(t, p.UnloadAdapter(t.Context(), fakeengine.Engine{}, a))
	require.ErrorIs(t, p.UnloadAdapter(t.Context(), fakeengine.Engine{}, a), lifecycle.Invalid)
	require.NoError(t, p.LoadAdapter(t.Context(), fakeengine.Engine{}, b))
	require.NoError(t, p.Stop(t.Context()))
	require.ErrorIs(t, p.LoadAdapter(t.Context(), fakeengine.Engine{}, a), lifecycle.EngineFailed)
}
