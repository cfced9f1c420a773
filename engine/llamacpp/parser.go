package llamacpp

import (
	"regexp"
	"strings"

	"github.com/spinup-llm/spinup/lifecycle"
)

// The stages that only llama.cpp has.
const (
	StageEmptyRun    lifecycle.Stage = "empty_run"    // its own warm-up, which reads mapped weights
	StageStartServer lifecycle.Stage = "start_server" // slots, chat template, until it serves
)

// prefix is what recent builds put before a line: the time, and the level.
var prefix = regexp.MustCompile(`^(?:\d+\.){2,}\d+ ([DIWE]) `)

// A parser reads the output of one process.
type parser struct {
	serving bool
	first   *failure // the first cause that was not survived
}

// marks begin stages, in the order in which they come. A build that is told to say less
// shows the first and the last two only.
var marks = []struct {
	text  string
	stage lifecycle.Stage
}{
	{"load_model: loading model", lifecycle.StageLoadWeights},
	{"fitting params to device memory", lifecycle.StageProfileMemory},
	{"llama_model_loader: loaded meta data", lifecycle.StageLoadWeights},
	{"llama_context: constructing llama_context", lifecycle.StageKVCache},
	{"warming up the model with an empty run", StageEmptyRun},
	{"load_model: initializing, n_slots", StageStartServer},
}

// Parse implements engine.Parser.
func (p *parser) Parse(line []byte) []lifecycle.Event {
	text, level := string(line), ""
	if m := prefix.FindStringSubmatch(text); m != nil {
		text, level = text[len(m[0]):], m[1]
	}
	switch {
	case strings.Contains(text, "fitting params to free memory took"):
		p.first = nil // what failed in a trial is tried again without
	case strings.Contains(text, "listening on http"):
		p.serving, p.first = true, nil
	case level != "I" && level != "D":
		p.read(text)
	}
	if p.serving {
		return nil
	}
	for _, m := range marks {
		if strings.Contains(text, m.text) {
			return []lifecycle.Event{{Stage: m.stage, Phase: lifecycle.Begin, Message: detail(text)}}
		}
	}
	return nil
}

// detail is what the line of a mark tells beside it.
func detail(text string) string {
	for _, before := range []string{"loaded meta data with ", "initializing, "} {
		if _, facts, ok := strings.Cut(text, before); ok {
			return facts
		}
	}
	return ""
}

// read keeps the first cause. Of what is said while it serves only the end of the process
// counts: an error of one request kills nobody.
func (p *parser) read(text string) {
	f := lookUp(text)
	if f == nil || (p.serving && !f.fatal) || (p.first != nil && (p.first.known || !f.known)) {
		return
	}
	p.first = f
}
