package vllm

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spinup-llm/spinup/lifecycle"
)

// ReadLog reads the recorded output of a vLLM, or of several below a Ray cluster's driver,
// and returns the timeline of its start, with seconds from the stamps of its lines. The
// log tells no year: times are of the year 2000 or, past a new year's eve, of the next.
// Where the log ends in a failure, the timeline's last span carries its explanation. The
// error is r's.
func ReadLog(r io.Reader) (lifecycle.Timeline, error) {
	rec := recorder{}
	p := newParser(func() time.Time { return rec.at })
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	lines.Split(splitLines)
	for lines.Scan() {
		if rec.stamp(parseLine(lines.Text()).stamp) {
			rec.take(p.read(lines.Text()))
		}
	}
	if !p.done && p.failed.uncaught {
		rec.take([]lifecycle.Event{{Phase: lifecycle.Fail, Time: rec.at, Err: p.Explain(-1)}})
	}
	if !p.done {
		rec.finish(p.state(p.cur).ended)
	}
	return lifecycle.TimelineOf(slices.Values(rec.events)), lines.Err()
}

// splitLines is a bufio.SplitFunc: progress bars end their lines with a carriage return.
func splitLines(data []byte, atEOF bool) (int, []byte, error) {
	if i := bytes.IndexAny(data, "\r\n"); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEOF && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}

// recorder turns a parser's events into spans, as a supervisor does while a process runs.
type recorder struct {
	at     time.Time // of the line that is read
	latest time.Time
	events []lifecycle.Event
	stage  lifecycle.Stage
	spans  int
	silent bool // nothing was told of the stage yet
	over   bool
}

// stamp sets the time of the next line and reports whether any is known yet. Lines
// without a stamp are of the latest one's.
func (r *recorder) stamp(text string) bool {
	if t, err := time.Parse("2006-01-02 15:04:05", "2000-"+text); err == nil {
		if !r.latest.IsZero() && r.latest.Sub(t) > 180*24*time.Hour {
			t = t.AddDate(1, 0, 0)
		}
		r.at = t
		if t.After(r.latest) {
			r.latest = t
		}
	} else {
		r.at = r.latest
	}
	if r.stage == "" && !r.at.IsZero() {
		r.begin(lifecycle.StagePreload, r.at, "")
	}
	return !r.at.IsZero()
}

func (r *recorder) begin(stage lifecycle.Stage, at time.Time, msg string) {
	r.stage = stage
	r.spans++
	r.add(lifecycle.Begin, at, msg)
	r.silent = msg == ""
}

// next ends the stage and begins another. A guess of the parser's that nothing has shown,
// and that took no time, was wrong.
func (r *recorder) next(e lifecycle.Event) {
	last := len(r.events) - 1
	if r.silent && r.spans > 1 && !e.Time.After(r.events[last].Time) {
		r.events = r.events[:last]
		r.spans--
	} else {
		r.add(lifecycle.End, e.Time, "")
	}
	r.begin(e.Stage, e.Time, e.Message)
}

func (r *recorder) add(phase lifecycle.Phase, at time.Time, msg string) {
	r.events = append(r.events, lifecycle.Event{
		Time: at, ID: fmt.Sprint(r.spans), Replica: "vllm", Stage: r.stage, Phase: phase, Message: msg,
	})
}

func (r *recorder) take(events []lifecycle.Event) {
	for _, e := range events {
		switch {
		case r.over:
			return
		case e.Phase == lifecycle.Begin:
			r.next(e)
		case e.Phase == lifecycle.Progress && e.Stage == r.stage:
			r.silent = false
			r.add(lifecycle.Progress, e.Time, e.Message)
		case e.Phase == lifecycle.Fail:
			r.add(lifecycle.Fail, e.Time, "")
			r.events[len(r.events)-1].Err = e.Err
			r.over = true
		case e.Phase == lifecycle.End && e.Stage != lifecycle.StagePreload:
			r.finish(e.Time)
		}
	}
}

// finish ends the last stage and marks the server ready; at is zero when the log does not
// reach that far.
func (r *recorder) finish(at time.Time) {
	if r.over || r.stage == "" || at.IsZero() {
		return
	}
	r.add(lifecycle.End, at, "")
	r.over = true
	if r.stage == StageStartServer {
		r.begin(lifecycle.StageReady, at, "")
		r.add(lifecycle.End, at, "")
	}
}
