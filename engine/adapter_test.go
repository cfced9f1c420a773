//go:build unix

package engine_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

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

// TestAnEngineThatHangsOverAnAdapterHasFailed also has a caller who gives up himself, who is told so.
func TestAnEngineThatHangsOverAnAdapterHasFailed(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if r.URL.Path == "/load" {
			<-r.Context().Done()
		}
	}))
	defer server.Close()
	s := served{newStage(), server.Listener.Addr().String()}
	p := startOn(t, s, engine.Options{})
	require.NoError(t, p.Ready(t.Context()))
	a := engine.Adapter{Name: "m:a", Dir: "/a"}
	err := p.LoadWithin(t.Context(), 10*time.Millisecond, fakeengine.Engine{}, a)
	require.ErrorIs(t, err, lifecycle.EngineFailed)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, p.LoadAdapter(ctx, fakeengine.Engine{}, a), lifecycle.Canceled)
	s.end(0)
	<-p.Done()
}
