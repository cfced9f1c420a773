package main

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/spinup-llm/spinup/replica"
)

// step is the resolution of the simulation.
const step = 100 * time.Millisecond

// perReplica is how many requests a replica works on at once, as a factor of the target: an
// engine can batch more than one wants it to.
const perReplica = 2

// result is what a simulation tells.
type result struct {
	requests     int
	peak, needed int           // replicas: most there were, most that were needed
	reaction     time.Duration // longest time from the need for more until that many are ready
	waits        float64       // request-seconds in the queue
	longest      time.Duration // longest wait, from the queue's length
	cost, least  float64       // replica-seconds: spent, and the least with which nothing waits
}

func (r *result) meanWait() time.Duration {
	return time.Duration(r.waits / float64(max(1, r.requests)) * float64(time.Second)).Round(time.Millisecond)
}

func (r *result) overshoot() float64 { return float64(r.peak)/float64(max(1, r.needed)) - 1 }

// fleet is replicas with the requests that they and the queue hold, as numbers: thousands of
// replicas over a day take seconds.
type fleet struct {
	wanted, ready int
	starting      []time.Duration // when each is ready, in order
	active        []int           // requests by the step in which they end, a ring
	ongoing       int
	queue         int
}

// simulate runs c under t. A replica is ready start after it is wanted, and goes at once.
func simulate(c replica.Scaling, t traffic, start time.Duration, seed uint64) result {
	rng := rand.New(rand.NewPCG(seed, seed)) //nolint:gosec // a simulation, the same each time
	f := fleet{wanted: max(c.Min, c.Initial), active: make([]int, serviceTime/step+1)}
	f.ready = f.wanted
	var r result
	var trend replica.Trend
	var samples []float64 // of the look-back
	var behind time.Duration
	for at := time.Duration(0); at < t.long; at += step {
		f.advance(at)
		arrived := poisson(rng, t.rate(at)*step.Seconds())
		r.requests += arrived
		f.queue += arrived
		f.admit(at, int(c.Target*perReplica))
		samples = append(samples, float64(f.ongoing+f.queue))
		if n := int(c.LookBack / step); len(samples) > n {
			samples = samples[len(samples)-n:]
		}
		if at%c.Interval == 0 {
			var want int
			want, trend = c.Decide(replica.Load{
				Now: time.Unix(0, 0).Add(at), Wanted: f.wanted, Ready: f.ready, Ongoing: mean(samples), Waiting: f.queue,
			}, trend)
			f.scale(want, at+start)
		}
		need := min(c.Max, max(c.Min, int(math.Ceil(t.rate(at)*serviceTime.Seconds()/c.Target))))
		behind = r.count(&f, need, behind, t.rate(at))
	}
	return r
}

// count adds a step to the result and returns for how long there have been too few.
func (r *result) count(f *fleet, need int, behind time.Duration, rate float64) time.Duration {
	r.peak, r.needed = max(r.peak, f.wanted), max(r.needed, need)
	r.cost += float64(f.ready+len(f.starting)) * step.Seconds()
	r.least += float64(need) * step.Seconds()
	r.waits += float64(f.queue) * step.Seconds()
	if rate > 0 {
		r.longest = max(r.longest, time.Duration(float64(f.queue)/rate*float64(time.Second)).Round(step))
	}
	if float64(f.ready) >= 0.9*float64(need) {
		return 0
	}
	r.reaction = max(r.reaction, behind+step)
	return behind + step
}

// advance ends requests and lets replicas become ready.
func (f *fleet) advance(at time.Duration) {
	slot := int(at/step) % len(f.active)
	f.ongoing -= f.active[slot]
	f.active[slot] = 0
	for len(f.starting) > 0 && f.starting[0] <= at {
		f.starting = f.starting[1:]
		f.ready++
	}
}

// admit gives waiting requests to replicas with room.
func (f *fleet) admit(at time.Duration, each int) {
	n := min(f.queue, max(0, f.ready*each-f.ongoing))
	f.queue -= n
	f.ongoing += n
	f.active[(int(at/step)+int(serviceTime/step))%len(f.active)] += n
}

func (f *fleet) scale(want int, ready time.Duration) {
	for f.wanted < want {
		f.starting = append(f.starting, ready)
		f.wanted++
	}
	for f.wanted > want {
		if n := len(f.starting); n > 0 {
			f.starting = f.starting[:n-1]
		} else {
			f.ready--
		}
		f.wanted--
	}
}

func mean(samples []float64) float64 {
	sum := 0.0
	for _, s := range samples {
		sum += s
	}
	return sum / float64(max(1, len(samples)))
}

// poisson draws a number of arrivals; large means are as good as normal.
func poisson(rng *rand.Rand, mean float64) int {
	if mean > 30 {
		return max(0, int(math.Round(mean+math.Sqrt(mean)*rng.NormFloat64())))
	}
	limit, n := math.Exp(-mean), 0
	for p := rng.Float64(); p > limit; p *= rng.Float64() {
		n++
	}
	return n
}
