package lifecycle

const (
	maxEvents  = 20_000 // of a log, before it forgets
	keepLatest = 1_000  // are not forgotten
)

// forget returns events without what matters least: about half of them, if that many may go.
func forget(events []Event) []Event {
	kept := without(events, endedProgress(events), len(events))
	if len(kept) <= maxEvents/2 {
		return kept
	}
	return without(kept, endedReplicas(kept), len(kept)-maxEvents/2)
}

// without returns a copy of events without the first n or more of those that drop names,
// whole replicas always together. The latest stay.
func without(events []Event, drop func(Event) (group string, ok bool), n int) []Event {
	kept := make([]Event, 0, len(events))
	gone := map[string]bool{}
	for i, e := range events {
		group, ok := drop(e)
		ok = ok && i < len(events)-keepLatest && (n > 0 || gone[group])
		if !ok {
			kept = append(kept, e)
			continue
		}
		n--
		if group != "" {
			gone[group] = true
		}
	}
	return kept
}

// endedProgress names the progress of stages that have ended, but for what has no group:
// each event goes alone.
func endedProgress(events []Event) func(Event) (string, bool) {
	ended := map[string]bool{}
	for _, e := range events {
		if e.Phase == End || e.Phase == Fail {
			ended[e.ID] = true
		}
	}
	return func(e Event) (string, bool) { return "", e.Phase == Progress && ended[e.ID] }
}

// endedReplicas names the events of replicas that have no open stage, that do not serve, and
// that nothing has been heard of lately.
func endedReplicas(events []Event) func(Event) (string, bool) {
	lives := map[string]bool{"": true}
	open := map[string]map[string]bool{}
	for i, e := range events {
		of := open[e.Replica]
		if of == nil {
			of = map[string]bool{}
			open[e.Replica] = of
		}
		switch e.Phase {
		case Begin:
			of[e.ID] = true
		case End, Fail:
			delete(of, e.ID)
		default:
		}
		switch e.Stage {
		case StageReady:
			lives[e.Replica] = true
		case StageStopped:
			delete(lives, e.Replica)
		default:
		}
		if i >= len(events)-keepLatest {
			lives[e.Replica] = true
		}
	}
	return func(e Event) (string, bool) { return e.Replica, !lives[e.Replica] && len(open[e.Replica]) == 0 }
}
