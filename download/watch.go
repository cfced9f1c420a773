package download

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// watchEvery is the time between two looks at all ranges in flight.
	watchEvery = 250 * time.Millisecond
	// A range is given up as slow after firstPatience below the floor, and every time after
	// twice as long, so that a link which is slow for all is seldom interrupted.
	firstPatience = 10 * time.Second
	maxPatience   = 10 * time.Minute
	// laggard is how many times slower than the others a slow range has to be.
	laggard = 4
	// speedWeight and usualWeight are what the last look counts for in the speed of a part,
	// and in the usual speed of all.
	speedWeight = 0.25
	usualWeight = 0.01
)

var (
	errStalled = errors.New("stalled")
	errSlow    = errors.New("slow")
	errYield   = errors.New("another download's turn")
)

// A flight is one body of the source on its way.
type flight struct {
	part    *part
	cancel  context.CancelCauseFunc
	start   time.Time
	arrived atomic.Int64 // bytes
	last    atomic.Int64 // when a byte arrived, or may be read; nanoseconds since start, whatever is done to the clock
	paced   atomic.Bool  // our own limit was what it waited for, since the last look

	// These are the worker's own.
	latency time.Duration // from the question to the answer
	opened  time.Time     // when that came

	// What follows is the watch's own.
	seen   int64     // bytes at the last look
	since  time.Time // when the window began in which it was fast enough or not; zero before the first byte
	before int64     // bytes at since
	held   bool      // by our own limit, before the last look
}

// landed takes note of n bytes, after which the next are read in due time.
func (f *flight) landed(n int, due time.Duration) {
	f.arrived.Add(int64(n))
	f.last.Store(int64(time.Since(f.start) + due))
	if due > 0 {
		f.paced.Store(true)
	}
}

// ends reports whether the rest will take no longer than the answer to a question.
func (f *flight) ends() bool {
	p := f.part
	arrived := p.pos.Load() - p.began
	return float64(p.missing())*float64(time.Since(f.opened)) <= float64(arrived)*float64(f.latency)
}

// A watch ends flights that bring nothing, or too little, and knows how fast the others are.
// It is safe for concurrent use.
type watch struct {
	stall time.Duration
	floor int64 // bytes per second

	mu      sync.Mutex
	flights map[*flight]struct{}
	looked  time.Time
	usual   float64 // bytes per second of a flight; 0 when not yet known
}

func newWatch(stall time.Duration, floor int64) *watch {
	return &watch{stall: stall, floor: floor, flights: map[*flight]struct{}{}, looked: time.Now()}
}

// start watches a flight of p until end is called.
func (w *watch) start(p *part, cancel context.CancelCauseFunc) *flight {
	f := &flight{part: p, cancel: cancel, start: time.Now()}
	f.landed(0, 0)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.flights[f] = struct{}{}
	return f
}

func (w *watch) end(f *flight) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.flights, f)
}

// yield ends n flights, so that others may have their connections: first those for which nobody waits.
func (w *watch) yield(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, waited := range []bool{false, true} {
		for f := range w.flights {
			if f.part.waited.Load() != waited {
				continue
			}
			if n--; n < 0 {
				return
			}
			f.cancel(errYield)
		}
	}
}

// look ends flights that have been silent or slow for too long.
func (w *watch) look(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.measure(now)
	w.looked = now
	for f := range w.flights {
		switch {
		case now.Sub(f.latest()) >= w.stall:
			f.cancel(errStalled)
		case f.seen == 0: // the first byte may take its time
		case f.since.IsZero() || f.held:
			f.restart(now)
		case now.Sub(f.since) >= f.patience():
			if w.slow(f, now) {
				f.part.patience = min(2*f.patience(), maxPatience)
				f.cancel(errSlow)
			}
			f.restart(now)
		}
	}
}

// measure takes the speeds since the last look, of what is not held back by our own limit.
func (w *watch) measure(now time.Time) {
	seconds := now.Sub(w.looked).Seconds()
	var sum, count float64
	for f := range w.flights {
		arrived := f.arrived.Load()
		speed := float64(arrived-f.seen) / seconds
		f.seen = arrived
		if f.held = f.paced.Swap(false) || f.latest().After(now); f.held || arrived == 0 {
			f.part.speed.Store(0)
			continue
		}
		speed = average(float64(f.part.speed.Load()), speed, speedWeight)
		f.part.speed.Store(max(int64(speed), 1))
		sum, count = sum+speed, count+1
	}
	if count > 0 {
		w.usual = average(w.usual, sum/count, usualWeight)
	}
}

// average moves old, which is 0 when nothing is known, towards now.
func average(old, now, weight float64) float64 {
	if old == 0 {
		return now
	}
	return old + weight*(now-old)
}

func (f *flight) latest() time.Time { return f.start.Add(time.Duration(f.last.Load())) }

func (f *flight) restart(now time.Time) { f.since, f.before = now, f.seen }

func (f *flight) patience() time.Duration { return max(f.part.patience, firstPatience) }

// slow reports whether f brought less than the floor, and far less than is usual here. Where
// it is alone, the floor decides.
func (w *watch) slow(f *flight, now time.Time) bool {
	speed := float64(f.seen-f.before) / now.Sub(f.since).Seconds()
	return speed < float64(w.floor) && (len(w.flights) == 1 || laggard*speed < w.usual)
}
