package replica

import "time"

// Limits bound the traffic of a Set. What is beyond them is answered at once: 503 while no
// replica is ready, 429 while all have as much as they may, both with Retry-After.
type Limits struct {
	Ongoing    int           // requests at one replica, more of them wait; 0 means no limit
	Waiting    int           // requests that wait for a replica; 0 means 1024, -1 no limit
	WaitingFor time.Duration // how long one waits; 0 means 5m, negative not at all
	Request    time.Duration // from its arrival to the end of its answer; 0 means no limit
	// Stall is how long a replica with requests may send no byte of any answer before it is
	// asked for one itself, and how long it then has to give it. It is busy when it does, or
	// when it is alive and does not tell that nothing of its work moves; else it is
	// replaced. 0 means 1m, negative never.
	Stall time.Duration
	_     struct{}
}

func (l Limits) withDefaults() Limits {
	if l.Waiting == 0 {
		l.Waiting = 1024
	}
	if l.WaitingFor == 0 {
		l.WaitingFor = 5 * time.Minute
	}
	if l.Stall == 0 {
		l.Stall = time.Minute
	}
	return l
}
