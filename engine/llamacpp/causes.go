package llamacpp

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/spinup-llm/spinup/lifecycle"
)

// A cause is an error of llama-server's whose remedy is known. Target and hint may use the
// groups of the pattern ($1).
type cause struct {
	re           *regexp.Regexp
	kind         lifecycle.Kind
	target, hint string
	fatal        bool // it ends the process also when that serves
}

// A failure is a line that told a cause.
type failure struct {
	text, target, hint string
	kind               lifecycle.Kind
	known, fatal       bool
}

func is(pattern string) *regexp.Regexp { return regexp.MustCompile(pattern) }

const (
	again      = "remove the file and fetch it again"
	memoryHint = "lower engine_kwargs.ctx_size or parallel, take a smaller quantisation or cache_type_k and cache_type_v of q8_0, " +
		"or a machine or accelerator with more memory"
	updateHint = "update llama.cpp, or take a model that this build knows"
)

// causes are tried in order: the first that matches a line explains it.
var causes = []cause{
	{re: is(`invalid argument: --?(\S+)`), kind: lifecycle.Invalid, target: "engine_kwargs", hint: "this build has no --$1: update llama.cpp, or remove the option"},
	{re: is(`error while handling argument "--?(\S+)": `), kind: lifecycle.Invalid, target: "engine_kwargs", hint: "give --$1 a value that llama-server --help names"},
	{re: is(`the argument has been removed`), kind: lifecycle.Invalid, target: "engine_kwargs", hint: "use the option that the message names"},
	{re: is(`chat template is not supported|failed to initialize chat template`), kind: lifecycle.Invalid, target: "engine_kwargs.chat_template", hint: "mend the template, or name one that llama-server --help lists"},
	{re: is(`quantized V cache requires flash_attn`), kind: lifecycle.Invalid, target: "engine_kwargs.cache_type_v", hint: "set flash_attn: on, or leave cache_type_v out"},

	{re: is(`unknown model architecture: '([^']*)'`), kind: lifecycle.Invalid, target: "$1", hint: updateHint},
	{re: is(`unknown pre-tokenizer type: '([^']*)'`), kind: lifecycle.Invalid, target: "$1", hint: updateHint},
	{re: is(`failed to load GGUF split from (.+)`), kind: lifecycle.MissingFile, target: "$1", hint: "fetch all files of the model"},
	{re: is(`failed to open GGUF file '([^']*)'`), kind: lifecycle.MissingFile, target: "$1", hint: "check the name: the file is not there, or not readable"},
	{re: is(`invalid magic characters|data is not within the file bounds|failed to read key-value pairs|failed to read tensor|missing tensor|wrong number of tensors|has invalid data`), kind: lifecycle.Corrupt, target: "the model's file", hint: again},

	{re: is(`insufficient memory|failed to allocate|[Oo]ut of memory|OutOfDeviceMemory|OutOfHostMemory|cudaMalloc failed|unable to allocate|std::bad_alloc`), kind: lifecycle.NoSpace, target: "memory", hint: memoryHint, fatal: true},
	{re: is(`couldn't bind HTTP server socket, hostname: (\S+), port: (\d+)`), kind: lifecycle.Unavailable, target: "$1:$2", hint: "another process listens there: end it, or let a free port be chosen"},
	{re: is(`CUDA error|ROCm error|ErrorDeviceLost`), kind: lifecycle.EngineFailed, target: "accelerator", hint: "update the driver, or take a build for this accelerator; device: none runs on the CPU", fatal: true},
	{re: is(`GGML_ASSERT\(.*\) failed|GGML_ABORT`), kind: lifecycle.EngineFailed, target: "llama.cpp", hint: "this is a defect of llama.cpp: update it, and report it with its output", fatal: true},
	{re: is(`error while loading shared libraries: (\S+):`), kind: lifecycle.EngineFailed, target: "$1", hint: "install the library (libgomp.so.1: apt-get install libgomp1), or add its folder to LD_LIBRARY_PATH in env_vars"},
}

// generic are lines that name a cause which the table does not know.
var generic = is(`error loading model: (.+)|failed to load (.+)|^error: (.+)|failed to initialize the context: (.+)`)

// lookUp returns what a line tells, or nil.
func lookUp(text string) *failure {
	for _, c := range causes {
		at := c.re.FindStringSubmatchIndex(text)
		if at == nil {
			continue
		}
		expand := func(template string) string { return string(c.re.ExpandString(nil, template, text, at)) }
		return &failure{text: text, target: expand(c.target), hint: expand(c.hint), kind: c.kind, known: true, fatal: c.fatal}
	}
	if generic.MatchString(text) {
		return &failure{text: text, kind: lifecycle.EngineFailed, hint: "look for the cause in the engine's output"}
	}
	return nil
}

// Explain implements engine.Parser.
func (p *parser) Explain(exit int) *lifecycle.Error {
	e := &lifecycle.Error{Kind: lifecycle.EngineFailed, Hint: "read its output; a Logger at debug level gets all of it"}
	switch {
	case p.first != nil:
		e.Kind, e.Target, e.Hint, e.Err = p.first.kind, p.first.target, p.first.hint, errors.New(p.first.text)
	case exit < 0:
		e.Err = errors.New("llama-server does not answer")
	case exit == 128+9:
		e.Err = errors.New("llama-server was killed")
		e.Hint = "if nobody did it, the system did for lack of memory: " + memoryHint
	case exit == 128+4:
		e.Err = errors.New("llama-server met an instruction that this processor does not have")
		e.Hint = "take a build of llama.cpp for this processor"
	case exit > 128:
		e.Err = fmt.Errorf("llama-server was ended by signal %d", exit-128)
		e.Hint = "update llama.cpp and the accelerator's driver; its output may tell more"
	default:
		e.Err = fmt.Errorf("llama-server ended with exit code %d", exit)
	}
	return e
}
