package sglang

import (
	"regexp"

	"github.com/spinup-llm/spinup/lifecycle"
)

// A cause is an error of SGLang's whose remedy is known. Target and hint may use the groups
// of the pattern ($1).
type cause struct {
	re           *regexp.Regexp
	kind         lifecycle.Kind
	target, hint string
}

func is(pattern string) *regexp.Regexp { return regexp.MustCompile(pattern) }

const (
	memoryHint = "lower engine_kwargs.context_length or max_running_requests, raise tensor_parallel_size, or take a larger accelerator"
	killedHint = "if nobody killed it, memory ran out (see dmesg): lower max_total_tokens or mem_fraction_static, choose a smaller model, " +
		"or a machine with more memory"
)

// causes are tried in order: the first that matches a line explains it.
var causes = []cause{
	{is(`error: unrecognized arguments: (--?[\w-]+)`), lifecycle.Invalid, "$1", "remove it from engine_kwargs; sglang serve --help lists what this version knows"},
	{is(`error: argument (--[\w-]+)\S*: `), lifecycle.Invalid, "$1", "give the option a value of the kind that the message names"},
	{is(`Model architectures (\[[^\]]*\]) are not supported`), lifecycle.Invalid, "$1", "use an SGLang that supports the architecture, or a model of one that it does"},
	{is(`context_length \(\d+\) is greater than the derived context_length \((\d+)\)`), lifecycle.Invalid, "engine_kwargs.context_length", "set context_length to $1 or less; SGLANG_ALLOW_OVERWRITE_LONGER_CONTEXT_LEN=1 in env_vars overrides, at the risk of noise"},
	{is(`config file at '([^']*)' is not a valid JSON file`), lifecycle.Corrupt, "$1", "fetch the file again"},
	{is(`Repo id must (?:be in the form|use alphanumeric).*?: '([^']*)'`), lifecycle.NotFound, "$1", "the folder does not exist: check the path"},
	{is(`Couldn't instantiate the backend tokenizer|Can't load tokenizer for`), lifecycle.MissingFile, "tokenizer.json", "add the model's tokenizer.json and tokenizer_config.json, or name another in engine_kwargs.tokenizer_path"},
	{is(`Cannot find any model weights with`), lifecycle.MissingFile, "*.safetensors", "put the model's *.safetensors files into the folder"},
	{is(`Error while deserializing header|SafetensorError|incomplete metadata`), lifecycle.Corrupt, "*.safetensors", "remove the file and fetch it again"},
	{is(`contains custom code which must be executed`), lifecycle.Invalid, "engine_kwargs.trust_remote_code", "read the model's code, then set engine_kwargs.trust_remote_code: true"},

	{is(`Not enough memory\. Please try to increase --mem-fraction-static`), lifecycle.NoSpace, "engine_kwargs.mem_fraction_static", "raise mem_fraction_static: the weights leave nothing for the KV cache; or " + memoryHint},
	{is(`(?:CUDA|HIP|XPU) out of memory|torch\.OutOfMemoryError|cudaErrorMemoryAllocation`), lifecycle.NoSpace, "GPU memory", "lower engine_kwargs.mem_fraction_static; or " + memoryHint},
	{is(`[Cc]an't allocate memory|Cannot allocate memory|^MemoryError`), lifecycle.NoSpace, "memory", "lower engine_kwargs.max_total_tokens, choose a smaller model, or a machine with more memory"},
	{is(`No space left on device`), lifecycle.NoSpace, "disk", "free disk space, also of /dev/shm"},

	{is(`[Aa]ddress already in use|Port \d+ is already in use`), lifecycle.Unavailable, "port", "another process listens there: end it, or let a free port be chosen"},
	{is(`No accelerator|No CUDA GPUs are available|Found no NVIDIA driver|Torch not compiled with CUDA`), lifecycle.NoCapacity, "accelerator", "run where there is an accelerator, or install what internal/setup/sglang.sh does for the CPU"},
	{is(`no kernel image is available`), lifecycle.EngineFailed, "accelerator", "this SGLang has no code for the GPU's architecture: install one that does"},
	{is(`NCCL error|nccl(?:UnhandledCuda|System|Internal|Remote)Error`), lifecycle.EngineFailed, "NCCL", "set NCCL_DEBUG=INFO in env_vars to see which call failed; often /dev/shm is too small"},
	{is(`No module named '(sgl_kernel)'`), lifecycle.EngineFailed, "$1", "install SGLang's kernels for this machine: pip install sglang-kernel, or for the CPU see internal/setup/sglang.sh"},
	{is(`No module named '([\w.]+)'`), lifecycle.EngineFailed, "$1", "install the Python package that has $1 beside SGLang"},
}

// lookUp returns the cause that text tells, or nil.
func lookUp(text string) *failure {
	for _, c := range causes {
		at := c.re.FindStringSubmatchIndex(text)
		if at == nil {
			continue
		}
		expand := func(template string) string { return string(c.re.ExpandString(nil, template, text, at)) }
		return &failure{kind: c.kind, target: expand(c.target), hint: expand(c.hint), text: text}
	}
	return nil
}
