package lifecycle

import "time"

// An Event reports one change. Events of a deployment are totally ordered by Seq.
type Event struct {
	Seq     uint64    // from 1, set by the Log
	Time    time.Time // set by the Log when zero
	Model   string
	Replica string // "" for the deployment as a whole
	Node    string
	ID      string // of the span that this event belongs to
	Parent  string // "" for a root
	Stage   Stage
	Phase   Phase
	Done    int64 // bytes or units, for Progress
	Total   int64 // 0 when unknown
	Message string
	Err     error // set when Phase is Fail
}
