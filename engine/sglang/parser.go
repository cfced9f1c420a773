package sglang

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/spinup-llm/spinup/lifecycle"
)

// The stages that only SGLang has.
const (
	StageStartWorkers lifecycle.Stage = "start_workers" // scheduler and detokenizer import SGLang and meet
	StageStartServer  lifecycle.Stage = "start_server"  // until the port is open
	StageServerWarmup lifecycle.Stage = "server_warmup" // SGLang's own first request
)

// order is that of the stages. They only go forward: ranks tell theirs one after another.
var order = []lifecycle.Stage{
	lifecycle.StagePreload, StageStartWorkers, lifecycle.StageLoadWeights, lifecycle.StageKVCache, lifecycle.StageCaptureGraphs,
	StageStartServer, StageServerWarmup,
}

// marks begin stages.
var marks = []struct {
	text  string
	stage lifecycle.Stage
}{
	{"server_args=", StageStartWorkers},
	{"Load weight begin", lifecycle.StageLoadWeights},
	{" graph begin", lifecycle.StageCaptureGraphs}, // "Capture decode CUDA graph begin"
	{"Engine startup timings", StageStartServer},
	{"Uvicorn running on", StageServerWarmup},
}

// shards is a progress bar of the loading.
var shards = regexp.MustCompile(`(?i)loading .*shards:\s+\d+% Completed \| (\d+)/(\d+)`)

// A parser reads the output of one SGLang.
type parser struct {
	notice  string // told once, with the first stage
	at      int    // in order
	loading int    // ranks
	failures
}

// Parse implements engine.Parser.
func (p *parser) Parse(line []byte) []lifecycle.Event {
	text := string(line)
	p.read(text)
	if p.serving {
		return nil
	}
	if strings.Contains(text, "The server is fired up") {
		p.serve()
		return nil
	}
	if m := shards.FindStringSubmatch(text); m != nil {
		return progress(m[1], m[2])
	}
	if strings.Contains(text, "Load weight begin") {
		p.loading++
	}
	if strings.Contains(text, "Load weight end") {
		if p.loading--; p.loading <= 0 {
			return p.begin(lifecycle.StageKVCache, facts(text))
		}
		return nil
	}
	for _, m := range marks {
		if strings.Contains(text, m.text) {
			return p.begin(m.stage, facts(text))
		}
	}
	return nil
}

// begin opens a stage, if it is a later one.
func (p *parser) begin(stage lifecycle.Stage, message string) []lifecycle.Event {
	for i := p.at + 1; i < len(order); i++ {
		if order[i] != stage {
			continue
		}
		p.at = i
		events := []lifecycle.Event{{Stage: stage, Phase: lifecycle.Begin, Message: message}}
		if p.notice != "" {
			events = append(events, lifecycle.Event{Stage: stage, Phase: lifecycle.Progress, Message: p.notice})
			p.notice = ""
		}
		return events
	}
	return nil
}

func progress(done, total string) []lifecycle.Event {
	d, err1 := strconv.ParseInt(done, 10, 64)
	t, err2 := strconv.ParseInt(total, 10, 64)
	if err1 != nil || err2 != nil || d > t {
		return nil
	}
	return []lifecycle.Event{{Stage: lifecycle.StageLoadWeights, Phase: lifecycle.Progress, Done: d, Total: t}}
}

// stamp is what SGLang puts before its lines: time and rank.
var stamp = regexp.MustCompile(`^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[^\]]*\] `)

// facts is a line without its stamp, unless it holds all settings.
func facts(text string) string {
	text = stamp.ReplaceAllString(text, "")
	if strings.HasPrefix(text, "server_args=") || len(text) > 300 {
		return ""
	}
	return text
}
