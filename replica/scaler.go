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
// there are to be, until ctx ends. What it has seen does not outlive an Update.
func (s *Set) scale(ctx context.Context) {
	var of *generation
	var w window
	var trend Trend
	for {
		s.mu.Lock()
		g, changed := s.current, s.changed
		if g != of {
			of, w, trend = g, window{}, Trend{}
			if s.queue.length+s.missed > 0 { // whose demand may have come while the one before was looked at
				s.demand()
			}
		}
		s.mu.Unlock()
		var tick <-chan time.Time
		if c := g.opts.Scale; c != nil {
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
		if g.opts.Scale != nil {
			trend = s.rescale(ctx, g, &w, trend)
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

// rescale decides for g. The decision counts only while g and its number are those that it
// rests on: a Policy may take its time.
func (s *Set) rescale(ctx context.Context, g *generation, w *window, t Trend) Trend {
	c := g.opts.Scale
	l, current := s.load(ctx, g, w)
	if !current {
		return t
	}
	want, next := c.Decide(l, t)
	if want != l.Wanted {
		s.update(func() {
			if s.current == g && g.want == l.Wanted {
				g.scaleTo(want)
				if s.next != nil && s.next.opts.Scale != nil { // it goes on from there
					s.next.want = s.next.bounded(want)
				}
			}
		})
	}
	return next
}

// load looks at the set, while g is current.
func (s *Set) load(ctx context.Context, g *generation, w *window) (l Load, current bool) {
	c := g.opts.Scale
	var engines []EngineLoad
	if c.Policy != nil {
		engines = s.engineLoads(ctx, c.Interval)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current != g {
		return l, false
	}
	now := time.Now()
	w.add(s.traffic.read(now), c.LookBack)
	l = Load{
		Model: s.opts.Scope.Model, Now: now, Wanted: g.want, Ready: s.count(g),
		Ongoing: w.aggregate(c.Aggregate), Waiting: s.queue.length + s.missed, Engines: engines,
	}
	s.missed = 0
	return l, true
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
