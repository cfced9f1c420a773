package vllm

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/spinup-llm/spinup/lifecycle"
)

// failures keeps why an engine will end: the first true cause, where vLLM's last line only
// says that there is one above.
type failures struct {
	env lifecycle.EnvVars // its values are redacted
	dir string            // of the model

	cause    *failure // of the table of causes
	generic  *failure // an exception that the table does not know
	dead     string   // a process that died, as another one tells it
	signal   int      // that ended it; 0 when unknown
	pending  bool     // the next lines say what a validation found
	uncaught bool     // the generic exception ended its process
	crash    bool     // a process has announced the traceback that ends it
	serving  bool
	ending   bool // by a stop signal: what follows is no failure
}

type failure struct {
	kind         lifecycle.Kind
	target, hint string
	text         string
	stage        lifecycle.Stage
}

var (
	exception = regexp.MustCompile(`^(?:[A-Za-z_]\w*\.)*(?:[A-Z]\w*(?:Error|Exception|Interrupt|NotFound|Timeout|Exit|Exceeded)|Exception)\b(?:: ?(.*))?$`)
	usage     = regexp.MustCompile(`^vllm\b.*: error: `)
	// Exceptions that only say that another one came before.
	wrapper = regexp.MustCompile(`Engine core initialization failed|WorkerProc initialization failed|EngineCore failed to start|` +
		`EngineDeadError|EngineCore encountered an issue|^SystemExit|^KeyboardInterrupt|CancelledError|died with exit code|BrokenProcessPool`)
	invalids  = regexp.MustCompile(`^(?:[\w.]*ValidationError: )?\d+ validation errors? for \w+`)
	announced = regexp.MustCompile(`(?:WorkerProc|EngineCore|Worker|RayWorkerProc) (?:failed to start|encountered a fatal error|hit an exception)`)
	died      = regexp.MustCompile(`(?:Engine core proc|Worker proc|RayWorkerProc|Engine process|worker) ?\S* (?:\(pid[^)]*\) )?died unexpectedly(?: \(exit code: (-?\d+)\))?|(?:rank=\S+) died unexpectedly`)
	deadProc  = regexp.MustCompile(`Failed core proc\(s\): \{'([^']+)': (-?\d+)`)
	given     = regexp.MustCompile(`Engine core initialization failed|WorkerProc initialization failed`)
	// What the API server raises once its core has died, and says when it is asked to end.
	deadError = regexp.MustCompile(`^(?:[a-z_]\w*\.)*EngineDeadError\b`)
	asked     = regexp.MustCompile(`^(?:\[shutdown\] )?[\w ]+: shutdown triggered$`)
	// uvicorn's line for a request has no level of vLLM's, and shows what the caller asked for.
	access = regexp.MustCompile(`^INFO: +\S+ - "[A-Z]+ `)
)

// read takes one line and returns what it says when, after it, the engine cannot serve any more.
func (f *failures) read(raw string, stage lifecycle.Stage, serving bool) (fatal string) {
	if serving && !f.serving {
		f.reset()
	}
	if f.ending || (!f.pending && !suspicious(raw)) {
		return ""
	}
	l := parseLine(raw)
	f.ending = l.level == "INFO" && asked.MatchString(l.text)
	if l.text == "" || (l.level != "" && l.level != "ERROR" && l.level != "CRITICAL") || access.MatchString(l.text) {
		return ""
	}
	if fatal = f.readDeath(l); fatal != "" {
		return fatal
	}
	if f.serving && !f.crash {
		return "" // an error of one request kills nobody
	}
	return f.readCause(l, stage)
}

// suspicious finds the few lines that are worth taking apart.
func suspicious(raw string) bool {
	for _, word := range [...]string{"rror", "xception", "failed", "died", "NotFound", "fatal", "memory", "annot", "No ", "not ", "shutdown"} {
		if strings.Contains(raw, word) {
			return true
		}
	}
	return false
}

// reset forgets what was survived: the engine serves now.
func (f *failures) reset() {
	*f = failures{env: f.env, dir: f.dir, serving: true}
}

// Forget implements engine.Forgetter.
func (p *parser) Forget() { p.failed.reset() }

// readDeath reads what a process says of another one that died, and of the end to come.
func (f *failures) readDeath(l line) string {
	switch {
	case announced.MatchString(l.text):
		f.crash = true
		return ""
	case died.MatchString(l.text):
		if m := died.FindStringSubmatch(l.text); f.dead == "" && f.cause == nil && f.generic == nil {
			f.dead, f.signal = m[0], signalOf(m[1])
		}
		return l.text
	case given.MatchString(l.text) && exception.MatchString(l.text):
		f.readGivenUp(l.text)
		return l.text
	case f.serving && deadError.MatchString(l.text):
		return l.text
	}
	return ""
}

// readGivenUp keeps who died where nothing else says why.
func (f *failures) readGivenUp(text string) {
	if f.dead != "" || f.cause != nil || f.generic != nil {
		return
	}
	f.dead = "a worker died while it started"
	if m := deadProc.FindStringSubmatch(text); m != nil {
		f.dead, f.signal = m[1]+" died", signalOf(m[2])
	}
}

func signalOf(code string) int {
	n, err := strconv.Atoi(code)
	if err != nil || n >= 0 {
		return 0
	}
	return -n
}

// readCause keeps the first cause that the table knows, else the first exception.
func (f *failures) readCause(l line, stage lifecycle.Stage) (fatal string) {
	detail := f.pending && strings.HasPrefix(l.text, "  ")
	f.pending = f.pending && detail
	if !detail && strings.HasPrefix(l.text, " ") {
		return "" // a traceback's line of source can look like the error that it raises
	}
	thrown := detail || exception.MatchString(l.text) || usage.MatchString(l.text)
	if invalids.MatchString(l.text) {
		f.pending = true
	}
	known := lookUp(l.text, stage)
	if f.cause == nil {
		f.cause = known
	}
	switch {
	case known != nil && thrown && (l.level == "" || f.crash):
		return known.text
	case f.generic == nil && thrown && !wrapper.MatchString(l.text):
		f.generic = &failure{kind: lifecycle.EngineFailed, text: shortCause(l.text), stage: stage}
		if f.pending {
			f.generic.kind = lifecycle.Invalid
		}
		f.uncaught = l.level == ""
	case detail && f.generic != nil && len(f.generic.text) < 400:
		f.generic.text += ": " + shortCause(l.text)
	}
	return ""
}

// shortCause leaves out what pydantic adds and the tail of an endless list.
func shortCause(s string) string {
	s, _, _ = strings.Cut(s, " [type=")
	s = strings.TrimPrefix(strings.TrimSpace(s), "Value error, ")
	const most = 400
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

// explain returns the error for an exit.
func (f *failures) explain(exit int, stage lifecycle.Stage) *lifecycle.Error {
	best := f.cause
	if best == nil && f.dead == "" {
		best = f.generic
	}
	if best == nil {
		best = f.byExit(exit, stage)
	}
	hint := best.hint
	if hint == "" {
		hint = "see the lines before it in the engine's output; the same arguments by hand, vllm serve, show all of them"
	}
	e := &lifecycle.Error{
		Op: "vllm.Run", Kind: best.kind, Target: f.place(best.target), Stage: best.stage,
		Hint: f.env.Redact(f.place(hint)), Err: errors.New(f.env.Redact(best.text)),
	}
	if best.kind == lifecycle.Corrupt && best.target == "{dir}" && f.dir != "" {
		f.nameFile(e)
	}
	return e
}

// place puts the model's folder into a text of the table.
func (f *failures) place(s string) string {
	dir := f.dir
	if dir == "" {
		dir = "the model"
	}
	return strings.ReplaceAll(s, "{dir}", dir)
}

// nameFile finds the file that vLLM complains of without naming it.
func (f *failures) nameFile(e *lifecycle.Error) {
	for found := range lifecycle.Errors(checkWeights(f.dir, "")) {
		e.Target = found.Target
		e.Err = fmt.Errorf("%w: %w", e.Err, found.Err)
		return
	}
}

// byExit explains an end without a word.
func (f *failures) byExit(exit int, stage lifecycle.Stage) *failure {
	signal := f.signal
	if signal == 0 && exit > 128 {
		signal = exit - 128
	}
	out := &failure{kind: lifecycle.EngineFailed, stage: stage, hint: signalHints[signal]}
	switch {
	case f.dead != "":
		out.text = f.dead
	case signal != 0:
		out.text = "vLLM was ended"
	case exit < 0:
		out.text, out.hint = "its output does not say why", signalHints[9]
	case exit == 0:
		out.text = "vLLM ended with code 0, though nobody asked it to"
	default:
		out.text = fmt.Sprintf("vLLM ended with code %d", exit)
	}
	if signal != 0 {
		out.text += fmt.Sprintf(" by signal %d", signal)
	} else if f.dead != "" {
		out.hint = signalHints[9]
	}
	if exit == 127 {
		out.hint = installHint
	}
	return out
}

// signalHints says what each signal is a sign of.
var signalHints = map[int]string{
	4: "the program needs a newer processor: install a vLLM that is built for this one",
	6: "the lines before it in the engine's output tell what native code gave up on",
	7: "shared memory is too small: enlarge /dev/shm (docker run --shm-size=8g; in Kubernetes an emptyDir of medium Memory)",
	9: "if nobody killed it, memory ran out (see dmesg): lower VLLM_CPU_KVCACHE_SPACE or gpu_memory_utilization, " +
		"choose a smaller model, or a machine with more memory",
	11: "native code crashed: update the driver and vLLM, or try engine_kwargs.enforce_eager: true",
}
