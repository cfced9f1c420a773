package sglang

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/spinup-llm/spinup/lifecycle"
)

// failures keeps why an SGLang will end: the first true cause. Its last lines only say that
// a child has failed.
type failures struct {
	serving bool
	cause   *failure // of the table
	generic *failure // an exception that the table does not know
	dead    string   // a process that died, as the server tells it
	signal  int      // that ended it; 0 when unknown
}

type failure struct {
	kind               lifecycle.Kind
	target, hint, text string
}

var (
	exception = regexp.MustCompile(`^(?:[A-Za-z_]\w*\.)*(?:[A-Z]\w*(?:Error|Exception|Interrupt|NotFound|Timeout|Exceeded)|Exception)\b: ?.`)
	usage     = regexp.MustCompile(`^sglang(?: serve)?: error: `)
	crashed   = regexp.MustCompile(`Subprocess (\S+) \(pid=\d+\) crashed with exit code (-?\d+)`)
)

func (f *failures) read(text string) {
	if m := crashed.FindStringSubmatch(text); m != nil && f.dead == "" {
		code, _ := strconv.Atoi(m[2]) // it matched
		f.dead, f.signal = stamp.ReplaceAllString(m[0], ""), max(0, -code)
	}
	if f.cause != nil {
		return
	}
	text = stamp.ReplaceAllString(text, "")
	if c := lookUp(text); c != nil && (!f.serving || c.kind == lifecycle.NoSpace) {
		f.cause = c
		return
	}
	if f.generic == nil && !f.serving && (exception.MatchString(text) || usage.MatchString(text)) {
		f.generic = &failure{kind: lifecycle.EngineFailed, text: text, hint: "look for the cause in the engine's output"}
	}
}

// serve forgets what was survived.
func (f *failures) serve() { *f = failures{serving: true} }

// Explain implements engine.Parser.
func (f *failures) Explain(exit int) *lifecycle.Error {
	e := &lifecycle.Error{Kind: lifecycle.EngineFailed, Hint: "read its output; a Logger at debug level gets all of it"}
	first := f.cause
	if first == nil {
		first = f.generic
	}
	switch {
	case first != nil:
		e.Kind, e.Target, e.Hint, e.Err = first.kind, first.target, first.hint, errors.New(short(first.text))
	case f.dead != "":
		e.Err = errors.New(f.dead)
		if f.signal == 9 {
			e.Hint = killedHint
		}
	case exit < 0:
		e.Err = errors.New("SGLang does not answer")
	case exit == 128+9:
		e.Err, e.Hint = errors.New("SGLang was killed"), killedHint
	case exit > 128:
		e.Err = fmt.Errorf("SGLang was ended by signal %d", exit-128)
	default:
		e.Err = fmt.Errorf("SGLang ended with exit code %d", exit)
	}
	return e
}

// short cuts what is too long for an error.
func short(text string) string {
	const most = 500
	text = strings.TrimSpace(text)
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + " …"
	}
	return text
}
