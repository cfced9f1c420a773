package replica_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/replica"
	"github.com/stretchr/testify/require"
)

// TestTheFirstReplicaWaitsForAPlace asks for a model that was scaled to zero from its beginning,
// while another has the only device.
func TestTheFirstReplicaWaitsForAPlace(t *testing.T) {
	t.Parallel()
	for _, updated := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			p, m := &scarce{room: 0}, &memory{handler: ok}
			set, h, stop := scaledOn(t, p, m, 0, &replica.Scaling{})
			if updated {
				require.NoError(t, set.Update(t.Context(), -1, m.start, &replica.SetOptions{Scale: &replica.Scaling{}}))
			}
			wait := many(t, 1, h)
			time.Sleep(5 * time.Second)
			synctest.Wait()
			require.Equal(t, 3, p.refused, "asked again after 1 s and 2 s")
			p.take(-1)
			require.Equal(t, http.StatusOK, wait()[0].Code)
			require.ErrorIs(t, stop(), context.Canceled)
		})
	}
}

// TestRequestsForAModelWithoutAPlaceAreRefusedUntilThereIsOne has none for an hour.
func TestRequestsForAModelWithoutAPlaceAreRefusedUntilThereIsOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, m := &scarce{room: 0}, &memory{handler: ok}
		_, h, stop := scaledOn(t, p, m, 0, &replica.Scaling{})
		w := ask(t.Context(), h)
		refused(t, w, http.StatusServiceUnavailable, "not_ready")
		require.Contains(t, w.Body.String(), "free a device")
		time.Sleep(time.Hour)
		synctest.Wait()
		require.Less(t, p.refused, 100)
		p.take(-1)
		time.Sleep(time.Minute)
		require.Equal(t, http.StatusOK, ask(t.Context(), h).Code)
		require.ErrorIs(t, stop(), context.Canceled)
	})
}

// TestAnUpdateOfNoReplicaIsNoFirstStart updates a model that has served and is at zero, and has the
// next start fail: there is nothing to go back to, and the model is not given up.
func TestAnUpdateOfNoReplicaIsNoFirstStart(t *testing.T) {
	t.Parallel()
	for _, failure := range []lifecycle.Kind{lifecycle.NoCapacity, lifecycle.EngineFailed, lifecycle.Timeout, lifecycle.NoSpace} {
		synctest.Test(t, func(t *testing.T) {
			p, m := &scarce{room: 1}, &memory{handler: ok}
			scale := &replica.Scaling{ToZeroDelay: time.Minute}
			set, h, stop := scaledOn(t, p, m, 0, scale)
			require.Equal(t, http.StatusOK, ask(t.Context(), h).Code)
			time.Sleep(2 * time.Minute)
			require.Zero(t, set.Status().Wanted)
			require.NoError(t, set.Update(t.Context(), -1, m.start, &replica.SetOptions{Scale: scale}))
			if failure == lifecycle.NoCapacity {
				p.take(1)
				time.AfterFunc(5*time.Second, func() { p.take(-1) })
			}
			m.fail = func(serial int) error {
				if serial == 2 && failure != lifecycle.NoCapacity {
					return &lifecycle.Error{Op: "memory", Kind: failure, Err: errors.New("not now")}
				}
				return nil
			}
			require.Equal(t, http.StatusOK, ask(t.Context(), h).Code, failure)
			require.ErrorIs(t, stop(), context.Canceled)
		})
	}
}

// TestAnUpdateThatNeedsAPlaceIsToldThatThereIsNone also for a model that may be scaled to zero.
func TestAnUpdateThatNeedsAPlaceIsToldThatThereIsNone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, m := &scarce{room: 1}, &memory{handler: ok}
		set, h, stop := scaledOn(t, p, m, 0, &replica.Scaling{})
		require.Equal(t, http.StatusOK, ask(t.Context(), h).Code)
		err := set.Update(t.Context(), -1, m.start, &replica.SetOptions{Scale: &replica.Scaling{}})
		require.ErrorIs(t, err, lifecycle.NoCapacity)
		require.Equal(t, http.StatusOK, ask(t.Context(), h).Code)
		require.ErrorIs(t, stop(), context.Canceled)
	})
}

// TestTheFirstRequestAfterAnUpdateWaitsForNoInterval updates a model at zero; what wakes the
// scaler is not lost on what it knew before.
func TestTheFirstRequestAfterAnUpdateWaitsForNoInterval(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{starts: time.Second, handler: ok}
		scale := &replica.Scaling{Max: 4, Target: 2}
		set, h, _ := serving(t, m, 0, func(o *replica.SetOptions) { o.Scale = scale })
		time.Sleep(time.Hour + time.Second)
		require.NoError(t, set.Update(t.Context(), -1, m.start, &replica.SetOptions{Scale: scale}))
		begun := time.Now()
		require.Equal(t, http.StatusOK, ask(t.Context(), h).Code)
		require.Equal(t, time.Second, time.Since(begun), "the start")
	})
}
