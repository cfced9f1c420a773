package vllm

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spinup-llm/spinup/lifecycle"
)

// parser turns the output of one vLLM into stages. They follow each other without a gap:
// a line that shows the next stage at work ends the one before. An event's Time is when
// the stage began, which can be earlier than the line that gives it away.
type parser struct {
	now    func() time.Time // of the line that is read
	failed failures
	notice string // told once, at the first line

	cur    lifecycle.Stage
	since  time.Time // when cur began
	stages map[lifecycle.Stage]*stageState
	seen   map[string]bool // lines that count, against those printed twice
	waits  bool            // some ranks profile already while others compile

	// A guess is a stage that nothing but the end of the one before has shown yet.
	guess, before lifecycle.Stage

	compiles tristate
	cache    cache
	done     bool
}

// stageState is what the ranks have said of a stage.
type stageState struct {
	begun         bool
	entered, left int
	ended         time.Time // when the last one left; zero while none did
	told, summary string    // the last message, and the one that sums the stage up
}

type tristate uint8

const (
	unknown tristate = iota
	yes
	no
)

// evidence is a line that shows a stage.
type evidence struct {
	rule        rule
	line        line
	at          time.Time
	msg         string
	done, total int64
}

func newParser(now func() time.Time) *parser {
	p := &parser{now: now, stages: map[lifecycle.Stage]*stageState{}, seen: map[string]bool{}}
	p.cur = lifecycle.StagePreload
	p.state(p.cur).begun = true
	return p
}

// Parse implements engine.Parser. The supervisor's clock counts: it needs no times.
func (p *parser) Parse(raw []byte) []lifecycle.Event {
	events := p.read(string(raw))
	for i := range events {
		events[i].Time = time.Time{}
	}
	return events
}

func (p *parser) read(text string) []lifecycle.Event {
	var events []lifecycle.Event
	if p.notice != "" {
		events = append(events, lifecycle.Event{Stage: p.cur, Phase: lifecycle.Progress, Time: p.now(), Message: p.notice})
		p.notice = ""
	}
	if said, ok := strings.CutPrefix(text, preloadWord); ok {
		return append(events, p.preloaded(said)...)
	}
	if said, ok := strings.CutPrefix(text, snapshotWord); ok && !p.done {
		return append(events, p.restoring(said)...)
	}
	if !p.done {
		events = append(events, p.readStages(text)...)
	}
	if fatal := p.failed.read(text, p.cur, p.done); fatal != "" {
		events = append(events, lifecycle.Event{
			Stage: p.cur, Phase: lifecycle.Fail, Time: p.now(), Message: fatal, Err: p.Explain(-1),
		})
	}
	return events
}

// preloaded takes the launcher's word that it has nothing more to import.
func (p *parser) preloaded(said string) []lifecycle.Event {
	if p.cur != lifecycle.StagePreload {
		return nil
	}
	at := p.now()
	return []lifecycle.Event{
		{Stage: p.cur, Phase: lifecycle.Progress, Time: at, Message: shorten(said)},
		{Stage: p.cur, Phase: lifecycle.End, Time: at},
	}
}

// Explain implements engine.Parser.
func (p *parser) Explain(exit int) *lifecycle.Error { return p.failed.explain(exit, p.cur) }

func (p *parser) readStages(text string) []lifecycle.Event {
	i := slices.IndexFunc(rules, func(r rule) bool { return strings.Contains(text, r.has) })
	if i < 0 {
		return nil
	}
	l := parseLine(text)
	for _, r := range rules[i:] {
		if m := r.match(l.text); m != nil {
			e := evidence{rule: r, line: l, at: p.now(), msg: shorten(m[0])}
			e.done, e.total = counters(m)
			return p.apply(e)
		}
	}
	return nil
}

// shorten cuts a message to what fits a table's cell.
func shorten(s string) string {
	const most = 160
	s = strings.TrimSpace(s)
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

func (p *parser) state(s lifecycle.Stage) *stageState {
	if p.stages[s] == nil {
		p.stages[s] = &stageState{}
	}
	return p.stages[s]
}

func (p *parser) apply(e evidence) []lifecycle.Event {
	if p.repeats(e) {
		return nil
	}
	p.learn(e)
	out := append(p.move(e), p.tell(e))
	if strings.HasPrefix(e.msg, "Application startup complete") {
		p.done = true
		return append(out, lifecycle.Event{Stage: p.cur, Phase: lifecycle.End, Time: e.at})
	}
	return append(out, p.foresee(e)...)
}

// repeats reports whether a line that counts was printed before: where Ray drives, the
// driver prints what its workers have printed, once more and late.
func (p *parser) repeats(e evidence) bool {
	if e.line.pid == "" || e.line.stamp == "" || !e.rule.ranks {
		return false
	}
	key := fmt.Sprint(e.line.pid, e.line.stamp, e.line.folded, e.line.times, e.line.text)
	was := p.seen[key]
	p.seen[key] = true
	return was
}

// learn keeps what a line says beside its stage.
func (p *parser) learn(e evidence) {
	p.cache |= e.rule.cache
	if strings.HasPrefix(e.msg, "Initializing a") {
		p.compiles = yes
		for _, sign := range []string{"enforce_eager=True", "CompilationMode.NONE", "Initializing a V0", "Initializing an LLM"} {
			if strings.Contains(e.line.text, sign) {
				p.compiles = no
			}
		}
	}
	s := p.state(e.rule.stage)
	switch {
	case e.rule.mark == leave:
		s.left += e.line.times
		if e.at.After(s.ended) {
			s.ended = e.at
		}
	case e.rule.ranks:
		s.entered += e.line.times
	}
}

// move opens the stage of e where that is not the current one and not over already.
func (p *parser) move(e evidence) []lifecycle.Event {
	stage := e.rule.stage
	switch {
	case stage == p.cur:
		p.guess = ""
		return nil
	case p.returns(e):
		if p.guess != "" {
			p.state(p.guess).begun = false
		}
		return p.open(stage, e.at)
	case e.rule.mark == note || p.state(stage).begun:
		return nil // a rank that is late, or a line of Ray's that is
	case p.mustWait(e):
		p.waits = true
		return nil
	}
	if p.guess != "" {
		p.state(p.guess).begun = false // it was wrong, or is yet to come
	}
	var out []lifecycle.Event
	if p.waits && stage != lifecycle.StageProfileMemory {
		out = p.open(lifecycle.StageProfileMemory, p.end())
	}
	return append(out, p.open(stage, p.beginOf(e))...)
}

// mustWait reports whether other ranks are still in the current stage. Ranks go from
// compiling to profiling each for itself; all other stages begin for all at once.
func (p *parser) mustWait(e evidence) bool {
	s := p.state(p.cur)
	return p.cur == lifecycle.StageCompile && e.rule.stage == lifecycle.StageProfileMemory && s.left < s.entered
}

// returns reports whether e shows that a stage goes on which seemed to be over: the one
// before a guess, or the loading that a download by vLLM itself has interrupted.
func (p *parser) returns(e evidence) bool {
	if e.line.folded {
		return false
	}
	if p.cur == lifecycle.StageDownload {
		return e.rule.stage == lifecycle.StageLoadWeights && e.rule.mark != enter
	}
	return p.guess != "" && e.rule.stage == p.before && (e.rule.mark == within || e.rule.mark == enter)
}

// foresee opens the next stage when the last rank has left the current one and what comes
// is sure.
func (p *parser) foresee(e evidence) []lifecycle.Event {
	s, next := p.state(p.cur), e.rule.next
	if e.rule.stage != p.cur || e.rule.mark != leave || s.left < s.entered {
		return nil
	}
	if next == lifecycle.StageCompile {
		next = p.afterLoading()
	}
	if next == "" || (p.state(next).begun && !repeatable[next]) {
		return nil
	}
	before := p.cur
	out := p.open(next, p.end())
	p.guess, p.before = next, before
	return out
}

// repeatable are stages to which vLLM comes back: loading after a download, and profiling,
// of an encoder before the compilation and of the whole model after it.
var repeatable = map[lifecycle.Stage]bool{lifecycle.StageLoadWeights: true, lifecycle.StageProfileMemory: true}

// afterLoading is compiling, unless the engine's configuration says that there is none.
func (p *parser) afterLoading() lifecycle.Stage {
	switch p.compiles {
	case yes:
		return lifecycle.StageCompile
	case no:
		return lifecycle.StageProfileMemory
	default:
		return ""
	}
}

// end is when the current stage ended as far as is known.
func (p *parser) end() time.Time {
	if ended := p.state(p.cur).ended; ended.After(p.since) {
		return ended
	}
	return p.since
}

// beginOf is when the stage of e must have begun.
func (p *parser) beginOf(e evidence) time.Time {
	at := e.at
	if told := toldSeconds(e); told > 0 {
		at = at.Add(-told)
	} else if e.rule.mark != enter && !p.state(p.cur).ended.IsZero() {
		at = p.state(p.cur).ended
	}
	if at.Before(p.since) {
		return p.since
	}
	return at
}

func toldSeconds(e evidence) time.Duration {
	if !e.rule.wall {
		return 0
	}
	m := seconds.FindStringSubmatch(e.msg)
	if m == nil {
		return 0
	}
	s, err := strconv.ParseFloat(m[1], 64)
	if err != nil || s > 1e7 {
		return 0
	}
	return time.Duration(s * float64(time.Second))
}

// open ends the current stage, whose last word is what sums it up, and begins another.
func (p *parser) open(stage lifecycle.Stage, at time.Time) []lifecycle.Event {
	var out []lifecycle.Event
	if s := p.state(p.cur); s.summary != "" && s.told != s.summary {
		out = append(out, lifecycle.Event{Stage: p.cur, Phase: lifecycle.Progress, Time: at, Message: s.summary})
	}
	p.cur, p.since, p.guess = stage, at, ""
	p.waits = p.waits && stage != lifecycle.StageProfileMemory
	p.state(stage).begun = true
	return append(out, lifecycle.Event{Stage: stage, Phase: lifecycle.Begin, Time: at, Message: p.state(stage).told})
}

// tell is what a line says of its stage.
func (p *parser) tell(e evidence) lifecycle.Event {
	msg, s := e.msg, p.state(e.rule.stage)
	if e.rule.stage == lifecycle.StageCompile && p.cache != 0 {
		msg = p.cache.String() + "; " + msg
	}
	s.told = msg
	if e.rule.mark == leave {
		s.summary = msg
	}
	return lifecycle.Event{
		Stage: e.rule.stage, Phase: lifecycle.Progress, Time: e.at, Done: e.done, Total: e.total, Message: msg,
	}
}

// String says what the cache was good for.
func (c cache) String() string {
	switch {
	case c&cacheBad != 0:
		return "cache not usable"
	case c == cacheHit|cacheMiss:
		return "cache hit in parts"
	case c&cacheHit != 0:
		return "cache hit"
	default:
		return "cache miss"
	}
}
