package replica_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/replica"
	"github.com/spinup-llm/spinup/replica/local"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSetBringsUpWhatIsWanted(t *testing.T) {
	t.Parallel()
	var f fleet
	set, log, stop := running(t, &f, 2)
	ready(t, set, 2)
	all := slices.Collect(set.All())
	require.Len(t, all, 2)
	require.ElementsMatch(t, []string{"m#1", "m#2"}, []string{all[0].ID, all[1].ID})
	stop()
	require.Empty(t, slices.Collect(set.All()))
	require.Len(t, f.at(0).stops, 1)
	require.Len(t, f.at(1).stops, 1)
	var stages []lifecycle.Stage
	for _, e := range log.Snapshot() {
		if e.Replica == "m#1" && (e.Phase == lifecycle.Begin || e.Phase == lifecycle.Skip) {
			stages = append(stages, e.Stage)
		}
	}
	require.Equal(t, []lifecycle.Stage{
		lifecycle.StageProvision, lifecycle.StageImage, lifecycle.StageReady, lifecycle.StageDrain, lifecycle.StageStopped,
	}, stages)
}

func TestSetReplacesADeadEngine(t *testing.T) {
	t.Parallel()
	var f fleet
	set, log, _ := running(t, &f, 1)
	ready(t, set, 1)
	f.at(0).end(errKilled)
	require.Eventually(t, func() bool { return set.LastErr() != nil }, 5*time.Second, time.Millisecond)
	require.ErrorIs(t, set.LastErr(), lifecycle.EngineFailed)
	require.NoError(t, set.Err(), "a replica that served is worth another start")
	require.Eventually(t, func() bool { return f.attempts() == 2 }, 5*time.Second, time.Millisecond)
	ready(t, set, 1)
	failed := slices.ContainsFunc(log.Snapshot(), func(e lifecycle.Event) bool {
		return e.Phase == lifecycle.Fail && e.Replica == "m#1" && errors.Is(e.Err, lifecycle.EngineFailed)
	})
	require.True(t, failed, "the death is an event with its cause")
}

func TestSetGivesUpAtOnceOnPermanentErrors(t *testing.T) {
	t.Parallel()
	f := fleet{fail: func(int) error {
		return &lifecycle.Error{Op: "source", Kind: lifecycle.NotFound, Hint: "look again"}
	}}
	set, _, _ := running(t, &f, 1)
	err := set.Await(t.Context(), 1)
	require.ErrorIs(t, err, lifecycle.NotFound)
	require.ErrorIs(t, set.Err(), lifecycle.NotFound)
	require.Equal(t, 1, f.attempts())
}

func TestSetTriesAgainOnTemporaryErrors(t *testing.T) {
	t.Parallel()
	f := fleet{fail: func(attempt int) error {
		if attempt < 3 {
			return &lifecycle.Error{Op: "source", Kind: lifecycle.Unavailable}
		}
		return nil
	}}
	set, _, _ := running(t, &f, 1)
	ready(t, set, 1)
	require.Equal(t, 3, f.attempts())
}

func TestSetShrinks(t *testing.T) {
	t.Parallel()
	var f fleet
	set, _, _ := running(t, &f, 3)
	ready(t, set, 3)
	set.Want(1)
	require.Eventually(t, func() bool { return len(slices.Collect(set.All())) == 1 }, 5*time.Second, time.Millisecond)
}

func TestAwaitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	f := fleet{fail: func(int) error { return &lifecycle.Error{Op: "x", Kind: lifecycle.Unavailable} }}
	set, _, _ := running(t, &f, 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, set.Await(ctx, 1), lifecycle.Canceled)
}

func TestAwaitMayComeBeforeRun(t *testing.T) {
	t.Parallel()
	var f fleet
	set := replica.NewSet(new(local.Provisioner), f.start, &replica.SetOptions{Logger: slog.New(slog.DiscardHandler)})
	awaited := make(chan error, 1)
	go func() { awaited <- set.Await(t.Context(), 1) }()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	set.Want(1)
	go func() { ended <- set.Run(ctx) }()
	require.NoError(t, <-awaited)
	cancel()
	require.ErrorIs(t, <-ended, context.Canceled)
}

func TestAwaitTellsWhenTooFewCanComeToBeReady(t *testing.T) {
	t.Parallel()
	f := fleet{fail: func(attempt int) error {
		if attempt == 2 {
			return &lifecycle.Error{Op: "local", Kind: lifecycle.NoCapacity}
		}
		return nil
	}}
	set, _, _ := running(t, &f, 2)
	require.ErrorIs(t, set.Await(t.Context(), 2), lifecycle.NoCapacity)
	require.NoError(t, set.Await(t.Context(), 1))
}

// TestWhoHearsOfAnEventMayAskTheSet has a receiver of events look at the set at each of them.
func TestWhoHearsOfAnEventMayAskTheSet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{handler: ok}
		var asked atomic.Pointer[replica.Set]
		var routable, heard atomic.Bool
		emit := func(e lifecycle.Event) {
			set := asked.Load()
			answered := make(chan struct{})
			go func() {
				defer close(answered)
				if st := set.Status(); e.Stage == lifecycle.StageReady {
					routable.Store(st.Ready == 1)
				}
			}()
			select {
			case <-answered:
			case <-time.After(time.Second): // in the bubble: the set's lock is held
				t.Error("no answer at", e.Stage)
			}
			if e.Stage == lifecycle.StageReady && e.Phase == lifecycle.End {
				time.Sleep(time.Second)
				heard.Store(true)
			}
		}
		set := replica.NewSet(new(local.Provisioner), m.start, &replica.SetOptions{
			Scope: lifecycle.Scope{Model: "m", Emit: emit}, Logger: slog.New(slog.DiscardHandler),
		})
		asked.Store(set)
		set.Want(1)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- set.Run(ctx) }()
		waitReady(t, set, 1)
		require.True(t, routable.Load(), "what is told to be ready is routed to")
		require.True(t, heard.Load(), "who waited for ready finds that it was told")
		cancel()
		require.ErrorIs(t, <-ended, context.Canceled)
	})
}
