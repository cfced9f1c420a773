package download

import "sync"

const (
	// firstAllowed is how many ranges a download begins with: enough for most links, and
	// few enough that a server which counts connections does not mind.
	firstAllowed = 8
	// A trial of more ranges has settleRounds to show that they bring worthwhile more, after
	// a round in which their connections are made.
	settleRounds = 2
	worthwhile   = 1.1
	// restRounds lie between a trial that failed and the next, twice as many each time.
	restRounds    = 20
	maxRestRounds = 16 * restRounds
	// easeRounds lie between two additions after a service said that it is too much.
	easeRounds = 4
)

// A ramp finds how many ranges in flight a link rewards. It doubles them as long as that
// brings a tenth more, and goes back when it does not. Once the service has complained it
// halves them and then adds one at a time. It is safe for concurrent use.
type ramp struct {
	most int

	mu       sync.Mutex
	allowed  int
	before   int     // allowed before the trial that is on; 0 when none is
	rate     float64 // to beat
	wait     int     // rounds until something may change
	rest     int     // rounds to wait after the next trial that fails
	throttle bool
}

func newRamp(most int) *ramp {
	return &ramp{most: most, allowed: min(firstAllowed, most), rest: restRounds}
}

// next returns how many ranges may be in flight after a round that brought so much; busy is
// how many there were at its end.
func (r *ramp) next(brought float64, busy int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.wait--; r.wait > 0 || busy < r.allowed {
		return r.allowed // with so few nothing can be learnt
	}
	switch {
	case r.throttle:
		r.allowed, r.wait = min(r.allowed+1, r.most), easeRounds
	case r.before > 0 && brought < worthwhile*r.rate:
		r.allowed, r.before = r.before, 0
		r.wait, r.rest = r.rest, min(2*r.rest, maxRestRounds)
	case r.allowed < r.most && brought > 0:
		r.before, r.rate = r.allowed, brought
		r.allowed, r.wait = min(2*r.allowed, r.most), settleRounds
	}
	return r.allowed
}

// complain takes note that the service wants fewer requests; many complaints of one moment
// count as one.
func (r *ramp) complain() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.throttle || r.wait <= 0 {
		r.allowed, r.before = max(r.allowed/2, 1), 0
	}
	r.throttle, r.wait = true, easeRounds
}
