//go:build linux

package spinup_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/spinup-llm/spinup"
	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/internal/fakeengine"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/replica"
	"github.com/stretchr/testify/require"
)

// An idle engine is asked to sleep, keeps its process, and is woken by the next request.
func TestAnIdleEngineSleeps(t *testing.T) {
	t.Parallel()
	o, cfg, hold := preloading(t, tinyModel, "")
	close(hold)
	o.Engines = map[string]engine.Engine{"fake": fakeengine.Sleepy{}}
	o.SleepAfter = 100 * time.Millisecond
	d := begin(t, o, cfg)
	require.NoError(t, d.Ready(t.Context()))
	awaitEvent(t, d, replica.StageAsleep, lifecycle.Begin)
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/completions", strings.NewReader(`{"model":"tiny","prompt":"hi"}`))
	r.Header.Set("Content-Type", "application/json")
	d.Handler().ServeHTTP(w, r)
	require.Equal(t, http.StatusOK, w.Code, w.Body.String())
	awaitEvent(t, d, replica.StageAsleep, lifecycle.End)
	require.Zero(t, d.Status()[0].Replicas[0].Restarts)
}

// A request for an adapter wakes the engine before that is loaded; what was loaded is still there
// after another sleep.
func TestAdaptersOfAnEngineThatSleeps(t *testing.T) {
	t.Parallel()
	shelf, o, cfg := adapting(t)
	o.Engines = map[string]engine.Engine{"fake": fakeengine.Sleepy{}}
	o.SleepAfter = 50 * time.Millisecond
	d := begin(t, o, cfg)
	require.NoError(t, d.Ready(t.Context()))
	for _, model := range []string{"tiny:a0", "tiny:a0", "tiny", "tiny:a1", "tiny:a2", "tiny:a0"} {
		require.Eventually(t, func() bool {
			for _, r := range d.Replicas() {
				return r.Asleep
			}
			return false
		}, time.Minute, time.Millisecond)
		code, body := complete(t, d.Handler(), model)
		require.Equal(t, http.StatusOK, code, "%s: %s", model, body)
	}
	require.Equal(t, []string{"a0", "a2"}, d.Status()[0].Replicas[0].Adapters)
	require.Zero(t, d.Status()[0].Replicas[0].Restarts)
	require.Equal(t, int64(3), shelf.resolves.Load(), "each adapter was found once")
}

func TestWhatCannotSleepIsRefused(t *testing.T) {
	t.Parallel()
	o := quiet()
	o.SleepAfter = time.Minute
	_, err := spinup.New(o, tiny())
	require.ErrorIs(t, err, lifecycle.Invalid)
	require.ErrorContains(t, err, "the engine reference cannot sleep")
}
