package download

import (
	"runtime"
	"sync"
	"time"
)

const (
	// firstAllowed is how many ranges a download begins with: enough for most links, and
	// few enough that a server which counts connections does not mind.
	firstAllowed = 8
	// A trial of twice as many ranges takes so many rounds: in the first the connections are
	// made, and in the others they have to bring worthwhile more.
	trialRounds = 3
	worthwhile  = 1.25
	// roundWeight is what the last round counts for in what is usual.
	roundWeight = 0.3
	// A link has slack when it brings less than this share of the most that it brought,
	// which fades in about a minute.
	slackShare = 0.7
	fading     = 0.996
	// worthTime and minWorth bound how little of a range is worth a request, so that the last
	// ranges end at about the same time.
	worthTime = 100 * time.Millisecond
	minWorth  = 4 * mib
	// The machine is crowded when workers are at bytes that have arrived for this share of the
	// time of all cores: of the rest a server on the same machine takes some, and the kernel.
	crowdedShare = 0.5
	// restRounds lie between a trial that failed and the next, twice as many each time.
	restRounds    = 20
	maxRestRounds = 16 * restRounds
	// easeRounds lie between two additions after a service said that it is too much.
	easeRounds = 4
)

// A ramp finds how many ranges in flight a link rewards. It doubles them as long as that
// brings a quarter more, and goes back when it does not; while the machine is what is waited for it
// does not try. Once the service has complained it
// halves them and then adds one at a time. It is safe for concurrent use.
type ramp struct {
	most int

	mu       sync.Mutex
	allowed  int
	busy     int     // ranges in flight at the beginning of the last round
	usual    float64 // what a round brings
	peak     float64 // what it brought at most
	before   int     // allowed before the trial that is on; 0 when none is
	rate     float64 // to beat in the trial
	tried    float64 // what its rounds after the first have brought
	wait     int     // rounds until something may change
	rest     int     // rounds to wait after the next trial that fails
	throttle bool
	halved   int  // rounds until a complaint is about another moment
	crowded  bool // the machine is what was waited for in the last round, and not the link
}

func newRamp(most int) *ramp {
	return &ramp{most: most, allowed: min(firstAllowed, most), rest: restRounds}
}

// next returns how many ranges may be in flight after a round that brought so much; busy is
// how many there were at its beginning, and toil the time that all workers together were at bytes
// that had arrived.
func (r *ramp) next(brought float64, busy int, toil time.Duration) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.usual = average(r.usual, brought, roundWeight)
	r.peak = max(r.peak*fading, r.usual)
	r.busy = busy
	r.crowded = toil > time.Duration(crowdedShare*float64(runtime.GOMAXPROCS(0)*int(watchEvery)))
	r.wait--
	r.halved--
	if r.before > 0 && r.wait >= 0 && r.wait < trialRounds-1 {
		r.tried += brought
	}
	if r.wait > 0 || busy < r.allowed {
		return r.allowed // with so few nothing can be learnt
	}
	switch {
	case r.throttle:
		r.allowed, r.wait = min(r.allowed+1, r.most), easeRounds
	case r.before > 0 && r.tried < worthwhile*r.rate:
		r.allowed, r.before = r.before, 0
		r.wait, r.rest = r.rest, min(2*r.rest, maxRestRounds)
	case r.allowed < r.most && brought > 0 && !r.crowded:
		r.before, r.rate, r.tried = r.allowed, max(brought, r.usual)*(trialRounds-1), 0
		r.allowed, r.wait = min(2*r.allowed, r.most), trialRounds
	}
	return r.allowed
}

// An outlook is what the last rounds tell of the next.
type outlook struct {
	slack   bool  // the link could give more than it does
	worth   int64 // bytes of a range that are worth a request: those of worthTime
	crowded bool  // the machine is what is waited for
}

func (r *ramp) outlook() outlook {
	r.mu.Lock()
	defer r.mu.Unlock()
	each := r.usual / float64(max(r.busy, 1))
	return outlook{
		slack:   r.usual < slackShare*r.peak,
		worth:   max(int64(each*worthTime.Seconds()/watchEvery.Seconds()), minWorth),
		crowded: r.crowded,
	}
}

// eager reports whether a range more for a moment is welcome.
func (r *ramp) eager() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.throttle
}

// complain takes note that the service wants fewer requests, and returns how many ranges may
// be in flight now; many complaints of one moment count as one.
func (r *ramp) complain() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.halved <= 0 {
		r.allowed, r.before, r.halved = max(r.allowed/2, 1), 0, easeRounds
	}
	r.throttle, r.wait = true, easeRounds
	return r.allowed
}
