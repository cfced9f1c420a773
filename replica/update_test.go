package replica_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/replica"
	"github.com/spinup-llm/spinup/replica/local"
	"github.com/stretchr/testify/require"
)

// scarce is a machine with room for so many replicas.
type scarce struct {
	local.Provisioner
	mu       sync.Mutex
	room     int
	refused  int
	released []error // what each Release was told by its context
	broken   error   // of Release
}

func (p *scarce) Acquire(ctx context.Context, req replica.Request, scope lifecycle.Scope) (replica.Node, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.room == 0 {
		p.refused++
		return nil, &lifecycle.Error{Op: "scarce", Kind: lifecycle.NoCapacity, Hint: "free a device"}
	}
	p.room--
	return p.Provisioner.Acquire(ctx, req, scope)
}

func (p *scarce) Release(ctx context.Context, n replica.Node) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.room++
	p.released = append(p.released, ctx.Err())
	return errors.Join(p.broken, p.Provisioner.Release(ctx, n))
}

// on is serving on a provisioner; stop ends the set and returns what Run did.
func on(t *testing.T, p replica.Provisioner, m *memory, n int) (set *replica.Set, h http.Handler, stop func() error) {
	t.Helper()
	return scaledOn(t, p, m, n, nil)
}

func scaledOn(t *testing.T, p replica.Provisioner, m *memory, n int, scale *replica.Scaling) (set *replica.Set, h http.Handler, stop func() error) {
	t.Helper()
	o := &replica.SetOptions{Scope: lifecycle.Scope{Model: "m"}, Logger: slog.New(slog.DiscardHandler), Scale: scale}
	set = replica.NewSet(p, m.start, o)
	set.Want(n)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- set.Run(ctx) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() { _ = stop() })
	return set, replica.NewRouter(set).Via(m), stop
}

// TestAReplicaWaitsForThePlaceOfOneThatDrains asks for a replica again while the last one,
// which has the only device, still has a request.
func TestAReplicaWaitsForThePlaceOfOneThatDrains(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, m := &scarce{room: 1}, &memory{handler: slow}
		set, h, stop := on(t, p, m, 1)
		waitReady(t, set, 1)
		wait := many(t, 1, h)
		synctest.Wait()
		set.Want(0)
		synctest.Wait()
		set.Want(1)
		synctest.Wait()
		require.Equal(t, 1, p.refused, "asked once, not again and again")
		require.NoError(t, set.Err())
		require.Equal(t, http.StatusOK, wait()[0].Code)
		begun := time.Now()
		require.Equal(t, http.StatusOK, ask(t.Context(), h).Code)
		require.Equal(t, time.Second, time.Since(begun), "the answer; the start waited for the place only")
		require.ErrorIs(t, stop(), context.Canceled)
	})
}

// TestAModelThatServedWaitsForAPlace scales to none, and another program takes the device.
func TestAModelThatServedWaitsForAPlace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, m := &scarce{room: 1}, &memory{handler: ok}
		set, h, _ := on(t, p, m, 1)
		waitReady(t, set, 1)
		set.Want(0)
		synctest.Wait()
		p.take(1)
		set.Want(1)
		time.Sleep(5 * time.Second)
		require.NoError(t, set.Err())
		p.take(-1)
		waitReady(t, set, 1)
		require.Equal(t, http.StatusOK, ask(t.Context(), h).Code)
	})
}

// TestAPlaceThatComesLaterIsTaken wants more replicas than there are places at first.
func TestAPlaceThatComesLaterIsTaken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, m := &scarce{room: 1}, &memory{handler: ok}
		set, _, stop := on(t, p, m, 2)
		require.ErrorIs(t, set.Await(t.Context(), 2), lifecycle.NoCapacity, "that is told at once")
		time.Sleep(time.Hour)
		require.Equal(t, 1, set.Status().Ready)
		require.Less(t, p.refused, 100)
		p.take(-1)
		time.Sleep(time.Minute)
		require.Equal(t, 2, set.Status().Ready)
		waitReady(t, set, 2)
		require.ErrorIs(t, stop(), context.Canceled)
	})
}

func (p *scarce) take(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.room -= n
}

// TestWantDuringAnUpdateHolds says another number while the new replicas start.
func TestWantDuringAnUpdateHolds(t *testing.T) {
	t.Parallel()
	for _, n := range []int{2, -1} {
		for _, want := range []int{1, 4} {
			synctest.Test(t, func(t *testing.T) {
				m := &memory{handler: ok}
				set, _, _ := serving(t, m, 2, nil)
				waitReady(t, set, 2)
				m.starts = time.Minute
				updated := make(chan error, 1)
				go func() { updated <- set.Update(t.Context(), n, m.start, nil) }()
				synctest.Wait()
				set.Want(want)
				require.NoError(t, <-updated)
				require.Equal(t, want, set.Status().Wanted)
				require.Equal(t, want, set.Status().Ready)
			})
		}
	}
}

// TestScalingDuringAnUpdateHolds has the load want more while the new replicas start.
func TestScalingDuringAnUpdateHolds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{handler: ok}
		scale := &replica.Scaling{Min: 1, Max: 9, UpscaleDelay: -1, Policy: func(replica.Load) int { return 5 }}
		set, _, _ := serving(t, m, 0, func(o *replica.SetOptions) { o.Scale = scale })
		waitReady(t, set, 1)
		m.starts = time.Minute
		next := *scale
		next.Max, next.Policy = 3, func(l replica.Load) int { return l.Wanted }
		require.NoError(t, set.Update(t.Context(), -1, m.start, &replica.SetOptions{Scale: &next}))
		require.Equal(t, 3, set.Status().Ready, "within the new bounds")
	})
}

// TestANodeIsReleasedInTime stops a set while its replica starts, and one that serves.
func TestANodeIsReleasedInTime(t *testing.T) {
	t.Parallel()
	for _, starts := range []time.Duration{0, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			p := &scarce{room: 1, broken: errors.New("still there")}
			m := &memory{handler: ok, starts: starts}
			set, _, stop := on(t, p, m, 1)
			time.Sleep(time.Second)
			require.ErrorIs(t, stop(), context.Canceled)
			require.Equal(t, []error{nil}, p.released, "no Release with an ended context")
			require.ErrorIs(t, set.StopErr(), p.broken)
		})
	}
}

// stuck is an engine that serves no more, but whose process the system cannot end.
type stuck struct{ *memEngine }

func (stuck) Done() <-chan struct{} { return nil }

func TestAnEngineThatDoesNotGoIsReplacedAllTheSame(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{handler: ok}
		o := &replica.SetOptions{Scope: lifecycle.Scope{Model: "m"}, Logger: slog.New(slog.DiscardHandler)}
		set := replica.NewSet(new(local.Provisioner), func(ctx context.Context, scope lifecycle.Scope, n replica.Node) (replica.Instance, error) {
			i, err := m.start(ctx, scope, n)
			if e, ok := i.(*memEngine); ok && e.serial == 1 {
				return stuck{e}, err
			}
			return i, err
		}, o)
		set.Want(1)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- set.Run(ctx) }()
		waitReady(t, set, 1)
		m.at(1).die(errKilled)
		time.Sleep(2 * time.Minute)
		require.Equal(t, 1, set.Status().Ready)
		require.ErrorContains(t, set.StopErr(), "has not gone")
		cancel()
		require.ErrorIs(t, <-ended, context.Canceled)
	})
}
