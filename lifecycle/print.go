package lifecycle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// WriteTo prints the timeline as an aligned text table: one row per span, seconds from the
// first event, then for each replica its critical path and the unattributed time.
func (t Timeline) WriteTo(w io.Writer) (int64, error) {
	var b, table bytes.Buffer
	tw := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "STAGE\tREPLICA\tSTART\tSECONDS\tWHAT")
	for _, s := range t.spans {
		fmt.Fprintf(tw, "%s%s\t%s\t%.3f\t%s\t%s\n", t.indent(s), s.Stage, s.Replica,
			s.Start.Sub(t.spans[0].Start).Seconds(), s.seconds(), s.what())
	}
	if err := tw.Flush(); err != nil {
		return 0, err
	}
	for line := range bytes.Lines(table.Bytes()) {
		b.Write(append(bytes.TrimRight(line, " \n"), '\n'))
	}
	for replica := range t.Replicas() {
		t.summary(&b, replica)
	}
	return b.WriteTo(w)
}

func (t Timeline) summary(w io.Writer, replica string) {
	total, rest := t.Startup(replica), t.Unattributed(replica)
	fmt.Fprintf(w, "\n%s: ready after %.3f s, unattributed %.3f s", replica, total.Seconds(), rest.Seconds())
	if total > 0 {
		fmt.Fprintf(w, " (%.1f %%)", 100*rest.Seconds()/total.Seconds())
	}
	fmt.Fprint(w, "\ncritical path:")
	sep := " "
	for s := range t.CriticalPath(replica) {
		fmt.Fprintf(w, "%s%s %.3f", sep, s.Stage, s.Duration().Seconds())
		sep = " → "
	}
	fmt.Fprintln(w)
}

func (t Timeline) indent(s Span) string {
	indent := ""
	for s.Parent != "" {
		i := slices.IndexFunc(t.spans, func(p Span) bool { return p.ID == s.Parent })
		if i < 0 {
			break
		}
		s, indent = t.spans[i], indent+"  "
	}
	return indent
}

func (s Span) seconds() string {
	switch {
	case isMarker(s.Stage):
		return ""
	case s.Skipped:
		return "skipped"
	case s.End.IsZero():
		return "running"
	default:
		return fmt.Sprintf("%.3f", s.Duration().Seconds())
	}
}

func (s Span) what() string {
	if s.Err != nil {
		return "failed: " + s.Err.Error()
	}
	return s.Message
}

type traceEvent struct {
	Name string            `json:"name"`
	Cat  string            `json:"cat"`
	Ph   string            `json:"ph"`
	TS   int64             `json:"ts"`
	Dur  int64             `json:"dur"`
	PID  string            `json:"pid"`
	TID  string            `json:"tid"`
	Args map[string]string `json:"args,omitempty"`
}

// MarshalJSON encodes the timeline in the Chrome trace event format (times in
// microseconds since the epoch); chrome://tracing and Perfetto open it.
func (t Timeline) MarshalJSON() ([]byte, error) {
	events := make([]traceEvent, 0, len(t.spans))
	for _, s := range t.spans {
		e := traceEvent{
			Name: string(s.Stage), Cat: "stage", Ph: "X", TS: s.Start.UnixMicro(),
			Dur: s.Duration().Microseconds(), PID: s.Model, TID: s.Replica, Args: map[string]string{},
		}
		for k, v := range map[string]string{"message": s.Message, "node": s.Node} {
			if v != "" {
				e.Args[k] = v
			}
		}
		if s.Err != nil {
			e.Args["error"] = s.Err.Error()
		}
		events = append(events, e)
	}
	return json.Marshal(map[string]any{"traceEvents": events, "displayTimeUnit": "ms"})
}
