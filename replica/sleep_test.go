package replica_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/replica"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sleeper is an engine that sleeps; it takes a second to do so and three to wake.
type sleeper struct {
	*memEngine

	mu          sync.Mutex
	asleep      bool
	turning     bool
	naps, wakes int
	refuse      error // to sleep or to wake
}

const (
	toSleep = time.Second
	toWake  = 3 * time.Second
)

func (s *sleeper) turn(takes time.Duration, asleep bool, count *int) error {
	s.mu.Lock()
	refuse := s.refuse
	s.turning = true
	s.mu.Unlock()
	time.Sleep(takes)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turning = false
	if refuse == nil {
		s.asleep = asleep
		*count++
	}
	return refuse
}

func (s *sleeper) Sleep(context.Context) error { return s.turn(toSleep, true, &s.naps) }
func (s *sleeper) Wake(context.Context) error  { return s.turn(toWake, false, &s.wakes) }

func (s *sleeper) set(refuse error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = refuse
}

func (s *sleeper) count() (naps, wakes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.naps, s.wakes
}

// dormitory is a memory whose engines sleep. A request that reaches one that does not stand
// is an error.
type dormitory struct {
	memory
	mu   sync.Mutex
	beds []*sleeper
	rude int // such requests
}

func (d *dormitory) start(ctx context.Context, s lifecycle.Scope, n replica.Node) (replica.Instance, error) {
	i, err := d.memory.start(ctx, s, n)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	e := &sleeper{memEngine: i.(*memEngine)} //nolint:forcetypeassert // memory makes them
	d.beds = append(d.beds, e)
	return e, nil
}

func (d *dormitory) bed(serial int) *sleeper {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.beds[serial-1]
}

// sleeping is a set of n replicas that sleep after a minute; a request takes a second.
func sleeping(t *testing.T, n int, change func(*replica.SetOptions)) (*dormitory, *replica.Set, http.Handler, *lifecycle.Log) {
	t.Helper()
	d := new(dormitory)
	d.handler = func(e *memEngine) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			s := d.bed(e.serial)
			s.mu.Lock()
			if s.asleep || s.turning {
				d.rude++
			}
			s.mu.Unlock()
			time.Sleep(time.Second)
			_, _ = io.WriteString(w, "ok")
		}
	}
	t.Cleanup(func() { require.Zero(t, d.rude, "requests reached an engine that slept") })
	set, h, log := servingWith(t, &d.memory, d.start, n, func(o *replica.SetOptions) {
		o.Sleep = time.Minute
		if change != nil {
			change(o)
		}
	})
	waitReady(t, set, n)
	return d, set, h, log
}

func TestAnIdleReplicaSleepsUntilARequestComes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, set, h, log := sleeping(t, 1, nil)
		time.Sleep(50 * time.Second)
		require.Equal(t, http.StatusOK, ask(t.Context(), h).Code)
		time.Sleep(50 * time.Second)
		require.False(t, set.Status().Replicas[0].Asleep, "it had a request")
		time.Sleep(30 * time.Second)
		require.True(t, set.Status().Replicas[0].Asleep)
		require.Equal(t, 1, set.Status().Ready, "it serves, in a while")
		time.Sleep(time.Hour)
		naps, wakes := d.bed(1).count()
		require.Equal(t, []int{1, 0}, []int{naps, wakes})

		begun := time.Now()
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() { assert.Equal(t, http.StatusOK, ask(t.Context(), h).Code) })
		}
		wg.Wait()
		require.Equal(t, toWake+time.Second, time.Since(begun), "all wait for one wake")
		naps, wakes = d.bed(1).count()
		require.Equal(t, []int{1, 1}, []int{naps, wakes})
		require.InDelta(t, time.Hour.Seconds(), asleepFor(log)[0].Seconds(), 60)
		time.Sleep(2 * time.Minute)
		require.True(t, set.Status().Replicas[0].Asleep, "and again")
	})
}

// asleepFor returns how long each sleep was; 0 is one that lasts.
func asleepFor(log *lifecycle.Log) (spans []time.Duration) {
	for s := range lifecycle.TimelineOf(slices.Values(log.Snapshot())).All() {
		if s.Stage == replica.StageAsleep {
			spans = append(spans, s.Duration())
		}
	}
	return spans
}

func TestARequestDuringTheTurnWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, _, h, _ := sleeping(t, 1, nil)
		time.Sleep(time.Minute + toSleep/2) // it falls asleep
		begun := time.Now()
		require.Equal(t, http.StatusOK, ask(t.Context(), h).Code)
		require.Equal(t, toSleep/2+toWake+time.Second, time.Since(begun))
		naps, wakes := d.bed(1).count()
		require.Equal(t, []int{1, 1}, []int{naps, wakes})
	})
}

// A client that goes away does not leave an engine half awake.
func TestWhoGoesAwayDuringTheWakeHarmsNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, _, h, _ := sleeping(t, 1, nil)
		time.Sleep(2 * time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), toWake/3)
		defer cancel()
		ask(ctx, h)
		begun := time.Now()
		require.Equal(t, http.StatusOK, ask(t.Context(), h).Code)
		require.LessOrEqual(t, time.Since(begun), toWake+time.Second)
		_, wakes := d.bed(1).count()
		require.Equal(t, 1, wakes)
	})
}

func TestOneIsWokenUntilItIsFull(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, set, h, _ := sleeping(t, 2, func(o *replica.SetOptions) { o.Limits.Ongoing = 2 })
		time.Sleep(2 * time.Minute)
		require.Equal(t, http.StatusOK, ask(t.Context(), h).Code)
		for range 5 {
			require.Equal(t, http.StatusOK, ask(t.Context(), h).Code)
		}
		wakes := func() int {
			_, a := d.bed(1).count()
			_, b := d.bed(2).count()
			return a + b
		}
		require.Equal(t, 1, wakes())
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() { assert.Equal(t, http.StatusOK, ask(t.Context(), h).Code) })
		}
		wg.Wait()
		require.Equal(t, 2, wakes())
		require.Equal(t, 2, set.Status().Ready)
	})
}

func TestWhatCannotTurnIsAsked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, set, h, log := sleeping(t, 1, nil)
		d.bed(1).set(errors.New("no"))
		time.Sleep(90 * time.Second)
		require.False(t, set.Status().Replicas[0].Asleep)
		require.Equal(t, http.StatusOK, ask(t.Context(), h).Code, "it serves, as it was asked")
		require.Empty(t, asleepFor(log))

		d.bed(1).set(nil)
		time.Sleep(2 * time.Minute)
		d.bed(1).set(errors.New("no"))
		require.Equal(t, http.StatusBadGateway, ask(t.Context(), h).Code)
		d.bed(1).set(nil)
		require.Equal(t, http.StatusOK, ask(t.Context(), h).Code, "the next one tries again")
	})
}

func TestWhoEndsAsleepHasSlept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, set, _, log := sleeping(t, 1, nil)
		time.Sleep(2 * time.Minute)
		set.Want(0)
		time.Sleep(time.Minute)
		require.Empty(t, set.Status().Replicas)
		require.Positive(t, asleepFor(log)[0])
	})
}

// What never had a time to sleep after, or cannot, does not.
func TestNobodySleepsUnasked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, set, _, _ := sleeping(t, 1, func(o *replica.SetOptions) { o.Sleep = 0 })
		plain, _, _ := serving(t, &memory{handler: ok}, 1, func(o *replica.SetOptions) { o.Sleep = time.Minute })
		waitReady(t, plain, 1)
		time.Sleep(time.Hour)
		naps, _ := d.bed(1).count()
		require.Zero(t, naps)
		require.False(t, set.Status().Replicas[0].Asleep || plain.Status().Replicas[0].Asleep)
	})
}
