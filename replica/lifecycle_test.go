package replica_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/replica"
	"pgregory.net/rapid"
)

// A step is something that happens to a set, and the time until the next.
type step struct {
	do    string
	n     int
	after time.Duration
}

func steps(t *rapid.T) []step {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step {
		return step{
			do:    rapid.SampledFrom([]string{"want", "kill", "blip", "sick", "hang", "fail", "update", "bad update", "ask", "ask"}).Draw(t, "do"),
			n:     rapid.IntRange(0, 4).Draw(t, "n"),
			after: rapid.SampledFrom([]time.Duration{0, 10 * time.Millisecond, time.Second, 20 * time.Second, 3 * time.Minute}).Draw(t, "after"),
		}
	}), 1, 25).Draw(t, "steps")
}

// TestTheLifeOfReplicas does anything in any order to a set. Whatever it is, replicas move
// along the arrows of the documentation only, there are never more than are wanted, requests
// go to ready ones, the set comes to what is wanted, and at the end nothing is left.
func TestTheLifeOfReplicas(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		all := steps(r)
		starts := rapid.SampledFrom([]time.Duration{0, time.Second, 30 * time.Second}).Draw(r, "starts")
		var wrong []string
		synctest.Test(t, func(t *testing.T) {
			l := live(t, starts)
			for _, s := range all {
				l.step(s)
				for range 4 {
					time.Sleep(s.after / 4)
					synctest.Wait()
					l.look(s)
				}
			}
			wrong = l.end()
		})
		if len(wrong) > 0 {
			r.Fatalf("%v", wrong)
		}
	})
}

// life is a set under test, and what has been seen of it.
type life struct {
	set      *replica.Set
	log      *lifecycle.Log
	memory   *memory
	place    *scarce
	handler  http.Handler
	stop     func()
	ctx      context.Context //nolint:containedctx // of the test
	tasks    sync.WaitGroup
	blips    atomic.Int64 // answers of 500 to come from engines that serve
	fails    atomic.Int64 // starts to come that fail for a time
	updating sync.Mutex
	surge    atomic.Int64 // replicas of the update under way
	seen     map[string]lifecycle.Stage
	mu       sync.Mutex
	wrong    []string
	accepted map[int]bool // statuses of answers
}

const room = 64

func live(t *testing.T, starts time.Duration) *life {
	t.Helper()
	l := &life{log: lifecycle.NewLog(), place: &scarce{room: room}, ctx: t.Context(), seen: map[string]lifecycle.Stage{}, accepted: map[int]bool{}}
	l.memory = &memory{starts: starts, handler: l.answer, fail: func(int) error {
		if l.fails.Add(-1) >= 0 {
			return &lifecycle.Error{Op: "memory", Kind: lifecycle.Unavailable, Err: errors.New("not now")}
		}
		return nil
	}}
	l.set = replica.NewSet(l.place, l.memory.start, &replica.SetOptions{
		Scope: lifecycle.Scope{Emit: l.log.Append, Model: "m"}, Logger: slog.New(slog.DiscardHandler), Pick: l.pick,
	})
	l.handler = replica.NewRouter(l.set).Via(l.memory)
	l.set.Want(1)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = l.set.Run(ctx)
	}()
	l.stop = func() {
		cancel()
		<-ended
	}
	return l
}

func (l *life) complain(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wrong = append(l.wrong, fmt.Sprintf(format, args...))
}

// pick is the picker: only ready replicas are offered.
func (l *life) pick(_ replica.Pick, offered []replica.Replica) int {
	for _, r := range offered {
		if r.Stage != lifecycle.StageReady {
			l.complain("%s is offered while it is in %s", r.ID, r.Stage)
		}
	}
	return len(offered) - 1
}

func (l *life) answer(e *memEngine) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ill, stopped := e.state()
		if stopped && !ill { // which is killed, whatever comes
			l.complain("a request came to an engine that was stopped")
		}
		if ill || l.blips.Add(-1) >= 0 {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		select {
		case <-time.After(time.Second):
		case <-r.Context().Done():
			if ill, stopped := e.state(); stopped && !ill {
				l.complain("an engine was stopped before its request was answered")
			}
		}
		_, _ = io.WriteString(w, "ok")
	}
}

// state tells whether e was made ill, and whether it was stopped before it died.
func (e *memEngine) state() (ill, stopped bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.sick != nil || e.hangs, errors.Is(context.Cause(e.gone), errAsked)
}

func (l *life) step(s step) {
	switch s.do {
	case "want":
		l.set.Want(s.n)
	case "kill":
		for _, e := range l.living(s.n) {
			e.die(errKilled)
		}
	case "sick":
		for _, e := range l.living(s.n) {
			e.set(func(e *memEngine) {
				e.sick = &lifecycle.Error{Op: "memory", Kind: lifecycle.EngineFailed, Err: errors.New("sick")}
			})
		}
	case "hang":
		for _, e := range l.living(s.n) {
			e.set(func(e *memEngine) { e.hangs = true })
		}
	case "blip":
		l.blips.Store(int64(s.n))
	case "fail":
		l.fails.Store(int64(s.n))
	case "update", "bad update":
		start := l.memory.start
		if s.do == "bad update" {
			s.n = max(1, s.n) // of none, nothing can be wrong
			start = func(context.Context, lifecycle.Scope, replica.Node) (replica.Instance, error) {
				return nil, &lifecycle.Error{Op: "memory", Kind: lifecycle.NotFound, Err: errors.New("no such model")}
			}
		}
		l.tasks.Go(func() { l.update(s, start) })
	case "ask":
		for range s.n {
			l.tasks.Go(func() {
				w := ask(l.ctx, l.handler)
				l.mu.Lock()
				defer l.mu.Unlock()
				l.accepted[w.Code] = true
			})
		}
	}
}

// update runs one at a time; another is refused.
func (l *life) update(s step, start replica.Start) {
	if !l.updating.TryLock() {
		return
	}
	defer l.updating.Unlock()
	l.surge.Store(int64(s.n))
	err := l.set.Update(l.ctx, s.n, start, &replica.SetOptions{Pick: l.pick})
	if s.do == "bad update" && err == nil {
		l.complain("a bad update was taken")
	}
}

// living are up to n engines.
func (l *life) living(n int) (some []*memEngine) {
	l.memory.mu.Lock()
	defer l.memory.mu.Unlock()
	for _, e := range l.memory.engines {
		if e.gone.Err() == nil && len(some) < n {
			some = append(some, e)
		}
	}
	return some
}

// arrows are where a replica may be seen after it was seen in a stage, not at once.
var arrows = map[lifecycle.Stage][]lifecycle.Stage{
	lifecycle.StageProvision: {lifecycle.StageReady, replica.StageDoubt, lifecycle.StageDrain, lifecycle.StageStopped},
	lifecycle.StageReady:     {replica.StageDoubt, lifecycle.StageDrain, lifecycle.StageStopped},
	replica.StageDoubt:       {lifecycle.StageReady, lifecycle.StageDrain, lifecycle.StageStopped},
	lifecycle.StageDrain:     {lifecycle.StageStopped},
}

// look compares the set with what may be.
func (l *life) look(s step) {
	st := l.set.Status()
	now := map[string]lifecycle.Stage{}
	up := 0
	for _, r := range st.Replicas {
		now[r.ID] = r.Stage
		if r.Stage == lifecycle.StageReady || r.Stage == replica.StageDoubt {
			up++
		}
		before, known := l.seen[r.ID]
		if known && before != r.Stage && !slices.Contains(arrows[before], r.Stage) {
			l.complain("%v: %s went from %q to %q", s, r.ID, before, r.Stage)
		}
	}
	for id := range l.seen {
		if _, there := now[id]; !there {
			now[id] = "gone" // whose return is no arrow
		}
	}
	l.seen = now
	most := st.Wanted
	if st.Updating { // beside each other; what is wanted meanwhile holds for the new ones, too
		most += max(int(l.surge.Load()), st.Wanted)
	}
	if up > most {
		l.complain("%v: %d serve, %d are wanted", s, up, most)
	}
}

// end lets the set come to rest, stops it, and looks at what is left.
func (l *life) end() []string {
	l.blips.Store(0)
	l.fails.Store(0)
	time.Sleep(time.Hour)
	synctest.Wait()
	if st := l.set.Status(); l.ill() == 0 && (st.Ready != st.Wanted || len(st.Replicas) != st.Wanted) {
		l.complain("it came to rest with %d of %d ready, %v", st.Ready, st.Wanted, st.Replicas)
	}
	l.stop()
	l.tasks.Wait()
	for _, e := range l.memory.engines {
		if e.gone.Err() == nil {
			l.complain("engine %d is left", e.serial)
		}
	}
	if l.place.room != room {
		l.complain("%d nodes are left", room-l.place.room)
	}
	if n := len(slices.Collect(l.set.All())); n > 0 {
		l.complain("%d replicas are left", n)
	}
	for code := range maps.Keys(l.accepted) {
		if !slices.Contains([]int{http.StatusOK, http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable}, code) {
			l.complain("a request was answered %d", code)
		}
	}
	l.moments()
	return l.wrong
}

// ill counts engines that nobody has asked since they fell ill.
func (l *life) ill() (n int) {
	for _, e := range l.living(room) {
		if ill, _ := e.state(); ill {
			n++
		}
	}
	return n
}

// moments holds what was told of each replica against the drawing: ready at most once, then
// at most one end, and nothing after that.
func (l *life) moments() {
	ended, ready := map[string]bool{}, map[string]bool{}
	for _, e := range l.log.Snapshot() {
		switch {
		case ended[e.Replica]:
			l.complain("%s: %s %s after its end", e.Replica, e.Phase, e.Stage)
		case e.Stage == lifecycle.StageReady && e.Phase == lifecycle.End:
			if ready[e.Replica] {
				l.complain("%s is ready twice", e.Replica)
			}
			ready[e.Replica] = true
		case e.Stage == lifecycle.StageStopped && e.Phase != lifecycle.Begin:
			ended[e.Replica] = true
		}
	}
	for id := range ready {
		if !ended[id] {
			l.complain("no end was told of %s", id)
		}
	}
}
