package vllm

import (
	"regexp"
	"strconv"
	"strings"
)

// A line is one line of output taken apart. vLLM's processes write into one stream, each
// with a prefix of its own; Ray puts another one before it.
type line struct {
	process string // innermost: "APIServer", "EngineCore_DP0", "Worker_TP1", "RayWorkerWrapper"; may be ""
	pid     string
	level   string // "INFO", "ERROR", …; "" for what did not go through the log
	stamp   string // "10-15 11:57:04"; "" when the line has none
	text    string // the message
	times   int    // for how many processes it stands: Ray folds equal lines
	folded  bool   // it is Ray's "[repeated 3x across cluster]", which comes late
}

var (
	ansi     = regexp.MustCompile("\x1b\\[[0-9;?]*[ -/]*[@-~]")
	process  = regexp.MustCompile(`\((?:([^()]*?) )?pid=(\d+)(?:, [^()]*)?\)`)
	repeated = regexp.MustCompile(` ?\[repeated (\d+)x across cluster\].*$`)
	logged   = regexp.MustCompile(`\b(DEBUG|INFO|WARNING|ERROR|CRITICAL) (\d\d-\d\d \d\d:\d\d:\d\d)[.,\d]* (?:\[[^\]\s]+:\d+\]|\S+\.\w+:\d+\]) ?`)
	glogged  = regexp.MustCompile(`^\[?[IWEF](\d\d)(\d\d) (\d\d:\d\d:\d\d)\.\d+ `)
)

// parseLine never fails: what it does not know is text.
func parseLine(raw string) line {
	if strings.IndexByte(raw, 0x1b) >= 0 {
		raw = ansi.ReplaceAllString(raw, "")
	}
	l := line{text: strings.TrimRight(raw, " \r\n\t"), times: 1}
	if m := repeated.FindStringSubmatchIndex(l.text); m != nil {
		if n, err := strconv.Atoi(l.text[m[2]:m[3]]); err == nil && n < 1<<20 {
			l.times, l.folded = n, true
		}
		l.text = l.text[:m[0]]
	}
	var prefix string
	if m := logged.FindStringSubmatchIndex(l.text); m != nil {
		l.level, l.stamp = l.text[m[2]:m[3]], l.text[m[4]:m[5]]
		prefix, l.text = l.text[:m[0]], l.text[m[1]:]
	} else {
		prefix, l.text = splitPrefix(l.text)
		if m := glogged.FindStringSubmatch(l.text); m != nil {
			l.stamp = m[1] + "-" + m[2] + " " + m[3]
		}
	}
	for _, m := range process.FindAllStringSubmatch(prefix, -1) {
		l.process, l.pid = m[1], m[2]
	}
	return l
}

// splitPrefix takes the prefixes from a line that did not go through the log.
func splitPrefix(text string) (prefix, rest string) {
	rest = text
	for {
		trimmed := strings.TrimLeft(rest, " ")
		m := process.FindStringIndex(trimmed)
		if m == nil || m[0] != 0 {
			return prefix, rest
		}
		prefix += trimmed[:m[1]]
		rest = strings.TrimPrefix(trimmed[m[1]:], " ")
	}
}
