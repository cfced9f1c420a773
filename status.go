package spinup

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/replica"
)

// ModelStatus is a snapshot of one model.
type ModelStatus struct {
	Application string          `json:"application"`
	Model       string          `json:"model"`
	Wanted      int             `json:"wanted"`   // replicas
	Ready       int             `json:"ready"`    // replicas
	Ongoing     int             `json:"ongoing"`  // requests at replicas
	Waiting     int             `json:"waiting"`  // requests that wait for one
	Scaling     bool            `json:"scaling"`  // their number follows the load
	Updating    bool            `json:"updating"` // Update is bringing up new replicas
	Refusing    bool            `json:"refusing"` // all failed again and again: requests get 503 at once
	Replicas    []ReplicaStatus `json:"replicas"` // with those that start and those that drain
	Pauses      []PauseStatus   `json:"pauses,omitempty"`
	Standbys    *StandbyStatus  `json:"standbys,omitempty"` // nil: none are wanted
	Error       string          `json:"error,omitempty"`    // why a replica ended last, while none is ready
	Hints       []string        `json:"hints,omitempty"`    // what to do about it

	kind string // of Error
}

// ReplicaStatus is a snapshot of one replica.
type ReplicaStatus struct {
	ID        string          `json:"id"`
	Node      string          `json:"node,omitempty"`
	Stage     lifecycle.Stage `json:"stage"` // the one that began last of those under way
	Since     time.Time       `json:"since"`
	Ongoing   int             `json:"ongoing"` // requests
	Restarts  int             `json:"restarts"`
	Standby   bool            `json:"standby,omitempty"`  // its process was one
	Adapters  []string        `json:"adapters,omitempty"` // that are loaded
	Stages    []StageStatus   `json:"stages,omitempty"`   // all under way
	LastError string          `json:"last_error,omitempty"`
}

// StageStatus is how far a stage is.
type StageStatus struct {
	Stage   lifecycle.Stage `json:"stage"`
	Since   time.Time       `json:"since"`
	Done    int64           `json:"done,omitempty"`         // bytes or units
	Total   int64           `json:"total,omitempty"`        // 0 when unknown
	Rate    float64         `json:"rate,omitempty"`         // of the last seconds, per second
	Left    Seconds         `json:"left_seconds,omitempty"` // at this rate; 0 when unknown
	Message string          `json:"message,omitempty"`
}

// PauseStatus is a wanted replica that is not there.
type PauseStatus struct {
	Failures int       `json:"failures"`       // in a row
	Retry    time.Time `json:"retry,omitzero"` // zero: it failed for good
	Error    string    `json:"error"`
}

// StandbyStatus tells of the processes that wait to become a replica.
type StandbyStatus struct {
	Wanted   int    `json:"wanted"`
	Ready    int    `json:"ready"`           // have done what needs no model
	Starting int    `json:"starting"`        // are about it
	Error    string `json:"error,omitempty"` // why the last one ended, or was not made
}

// Status returns a snapshot of every model.
func (d *Deployment) Status() []ModelStatus {
	d.revision.RLock()
	defer d.revision.RUnlock()
	var all []ModelStatus
	for _, app := range d.apps {
		for _, m := range app.models {
			st := m.status(&d.progress)
			st.Application = app.name
			all = append(all, st)
		}
	}
	return all
}

func (m *model) status(p *progress) ModelStatus {
	s := m.set.Status()
	st := ModelStatus{
		Model: m.id(), Wanted: s.Wanted, Ready: s.Ready, Ongoing: s.Ongoing, Waiting: s.Waiting,
		Scaling: m.scaling() != nil, Updating: s.Updating, Refusing: s.Refusing, Replicas: []ReplicaStatus{},
		Standbys: m.standbys.status(),
	}
	for _, r := range s.Replicas {
		rs := statusOf(r, p.of(r.ID))
		rs.Standby = m.standbys.became(r.ID)
		st.Replicas = append(st.Replicas, rs)
	}
	for _, pause := range s.Pauses {
		st.Pauses = append(st.Pauses, PauseStatus{Failures: pause.Failures, Retry: pause.Retry, Error: text(pause.Err)})
	}
	if err := m.set.LastErr(); err != nil && st.Ready == 0 {
		st.Error, st.Hints, st.kind = err.Error(), slices.Collect(lifecycle.Hints(err)), lifecycle.KindOf(err).String()
	}
	return st
}

func statusOf(r replica.Replica, stages []StageStatus) ReplicaStatus {
	st := ReplicaStatus{
		ID: r.ID, Node: r.NodeID, Stage: r.Stage, Since: r.Since, Ongoing: r.Inflight, Restarts: r.Restarts,
		Adapters: r.Adapters, Stages: stages, LastError: text(r.LastErr),
	}
	if r.Stage == lifecycle.StageProvision && len(stages) > 0 { // it is starting
		last := stages[len(stages)-1]
		st.Stage, st.Since = last.Stage, last.Since
	}
	return st
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// serves reports that requests for the model are answered: by a replica, or by the one that
// they start.
func (s *ModelStatus) serves() bool { return s.Ready > 0 || s.Wanted == 0 && s.Scaling }

// print writes s for people.
func (s *ModelStatus) print(w io.Writer) {
	fmt.Fprintf(w, "%s: %d of %d ready, %d requests, %d waiting\n", s.Model, s.Ready, s.Wanted, s.Ongoing, s.Waiting)
	for _, r := range s.Replicas {
		fmt.Fprintf(w, "  %s %s for %v, %d requests, %d restarts\n", r.ID, r.Stage, since(r.Since), r.Ongoing, r.Restarts)
		if len(r.Adapters) > 0 {
			fmt.Fprintf(w, "    adapters: %s\n", strings.Join(r.Adapters, ", "))
		}
		for _, st := range r.Stages {
			fmt.Fprintf(w, "    %s for %v%s\n", st.Stage, since(st.Since), st.amount())
		}
		if r.LastError != "" {
			fmt.Fprintf(w, "    before: %s\n", r.LastError)
		}
	}
	for _, p := range s.Pauses {
		next := "not started again"
		if !p.Retry.IsZero() {
			next = "next start in " + max(0, time.Until(p.Retry)).Round(time.Second).String()
		}
		fmt.Fprintf(w, "  a replica has failed %d times in a row, %s: %s\n", p.Failures, next, p.Error)
	}
	if b := s.Standbys; b != nil {
		fmt.Fprintf(w, "  %d of %d standbys ready", b.Ready, b.Wanted)
		if b.Error != "" {
			fmt.Fprint(w, ": ", b.Error)
		}
		fmt.Fprintln(w)
	}
	if s.Error != "" {
		fmt.Fprintf(w, "  last error: %s\n", s.Error)
	}
}

// amount says how much of a stage is done. Large numbers are bytes.
func (s StageStatus) amount() string {
	const mib = 1 << 20
	switch {
	case s.Total >= mib && s.Left > 0:
		return fmt.Sprintf(", %d of %d MiB, %.0f MiB/s, %v left", s.Done/mib, s.Total/mib, s.Rate/mib, s.Left.Duration().Round(time.Second))
	case s.Total >= mib:
		return fmt.Sprintf(", %d of %d MiB", s.Done/mib, s.Total/mib)
	case s.Total > 0:
		return fmt.Sprintf(", %d of %d", s.Done, s.Total)
	default:
		return ""
	}
}

func since(t time.Time) time.Duration { return time.Since(t).Round(100 * time.Millisecond) }
