package replica

import (
	"context"
	"sync"
	"time"

	"github.com/spinup-llm/spinup/engine"
)

// A LoadTeller is an Instance whose engine tells its load. Optional.
type LoadTeller interface {
	Instance
	Load(ctx context.Context) (engine.Load, error)
}

// scale decides, every interval and when a request waits for the first replica, how many
// there are to be, until ctx ends.
func (s *Set) scale(ctx context.Context) {
	var w window
	var trend Trend
	for {
		s.mu.Lock()
		c, changed := s.current.opts.Scale, s.changed
		s.mu.Unlock()
		var tick <-chan time.Time
		if c != nil {
			tick, changed = time.After(c.Interval), nil
		}
		select {
		case <-ctx.Done():
			return
		case <-changed: // an Update may bring scaling
			continue
		case <-s.demanded:
		case <-tick:
		}
		if c != nil {
			trend = s.rescale(ctx, c, &w, trend)
		}
	}
}

// demand wakes the scaler for a request that waits for the first replica; the caller holds
// the lock.
func (s *Set) demand() {
	if s.current.want > 0 {
		return
	}
	select {
	case s.demanded <- struct{}{}:
	default:
	}
}

func (s *Set) rescale(ctx context.Context, c *Scaling, w *window, t Trend) Trend {
	l := s.load(ctx, c, w)
	want, next := c.Decide(l, t)
	if want != l.Wanted {
		s.Want(want)
	}
	return next
}

// load looks at the set.
func (s *Set) load(ctx context.Context, c *Scaling, w *window) Load {
	var engines []EngineLoad
	if c.Policy != nil {
		engines = s.engineLoads(ctx, c.Interval)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	w.add(s.traffic.read(now), c.LookBack)
	return Load{
		Model: s.opts.Scope.Model, Now: now, Wanted: s.current.want, Ready: s.count(s.current),
		Ongoing: w.aggregate(c.Aggregate), Waiting: s.queue.length, Engines: engines,
	}
}

// engineLoads asks the engines that can tell, all at once. One that does not answer within
// limit is left out.
func (s *Set) engineLoads(ctx context.Context, limit time.Duration) []EngineLoad {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	s.mu.Lock()
	ready := map[string]LoadTeller{}
	for _, m := range s.members {
		if t, ok := m.instance.(LoadTeller); ok && m.slot.serving {
			ready[m.ID] = t
		}
	}
	s.mu.Unlock()
	var mu sync.Mutex
	var wg sync.WaitGroup
	var loads []EngineLoad
	for id, t := range ready {
		wg.Go(func() {
			l, err := t.Load(ctx)
			if err != nil {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			loads = append(loads, EngineLoad{Replica: id, Load: l})
		})
	}
	wg.Wait()
	return loads
}

// A window holds the readings of the look-back, and the one before them.
type window struct{ readings []reading }

func (w *window) add(r reading, lookBack time.Duration) {
	w.readings = append(w.readings, r)
	for len(w.readings) > 2 && r.at.Sub(w.readings[1].at) >= lookBack {
		w.readings = w.readings[1:]
	}
}

// aggregate is the number of requests over the window: the mean over time, or the least or
// the most that there were at one moment.
func (w *window) aggregate(how string) float64 {
	last := w.readings[len(w.readings)-1]
	inside := w.readings
	if len(inside) > 1 {
		inside = inside[1:]
	}
	least, most := last.least, last.most
	for _, r := range inside {
		least, most = min(least, r.least), max(most, r.most)
	}
	switch first := w.readings[0]; {
	case how == "max":
		return float64(most)
	case how == "min":
		return float64(least)
	case last.at.After(first.at):
		return (last.seconds - first.seconds) / last.at.Sub(first.at).Seconds()
	default: // the first reading: what there is
		return float64(most)
	}
}
