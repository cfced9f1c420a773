package replica

import (
	"iter"
	"slices"
	"time"
)

// Status is a snapshot of a Set.
type Status struct {
	Wanted   int // replicas
	Ready    int
	Ongoing  int // requests at replicas
	Waiting  int // requests that wait for one
	Replicas []Replica
	Pauses   []Pause // of replicas that are not there
	Updating bool
	Refusing bool // the circuit is open: requests get 503 at once, for what Pauses say
}

// A Pause is a wanted replica between two starts, or one that is not started any more.
type Pause struct {
	Failures int       // in a row
	Retry    time.Time // of the next start; zero: never, it failed for good
	Err      error
}

// Status returns a snapshot.
func (s *Set) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := Status{
		Wanted: s.current.want, Ready: s.count(s.current), Waiting: s.queue.length,
		Ongoing: s.traffic.ongoing - s.queue.length, Updating: s.next != nil,
	}
	for _, m := range s.members {
		st.Replicas = append(st.Replicas, m.Replica)
	}
	for _, sl := range s.current.slots {
		if sl.err != nil || !sl.retry.IsZero() {
			st.Pauses = append(st.Pauses, Pause{Failures: sl.failures, Retry: sl.retry, Err: sl.last})
		}
	}
	_, reason := s.current.open()
	st.Refusing = st.Ready == 0 && reason != nil
	return st
}

// All yields a snapshot of the members.
func (s *Set) All() iter.Seq[Replica] { return slices.Values(s.Status().Replicas) }
