package vllm

import (
	"regexp"

	"github.com/spinup-llm/spinup/lifecycle"
)

// A cause is an error of vLLM's whose remedy is known. Target and hint may use the groups
// of the pattern ($1) and {dir}, the model's folder.
type cause struct {
	re           *regexp.Regexp
	kind         lifecycle.Kind
	target, hint string
}

// lookUp returns the cause that text tells, or nil.
func lookUp(text string, stage lifecycle.Stage) *failure {
	for _, c := range causes {
		at := c.re.FindStringSubmatchIndex(text)
		if at == nil {
			continue
		}
		expand := func(template string) string { return string(c.re.ExpandString(nil, template, text, at)) }
		return &failure{kind: c.kind, target: expand(c.target), hint: expand(c.hint), text: shortCause(text), stage: stage}
	}
	return nil
}

const (
	memoryHint = "lower engine_kwargs.max_model_len or max_num_seqs, raise tensor_parallel_size, or take a larger accelerator"
	kvHint     = "lower engine_kwargs.max_model_len, or give the KV cache more: gpu_memory_utilization, or VLLM_CPU_KVCACHE_SPACE on a CPU"
	shmHint    = "enlarge /dev/shm (docker run --shm-size=8g; in Kubernetes an emptyDir of medium Memory)"
	ncclHint   = "set NCCL_DEBUG=INFO in env_vars to see which call failed; often /dev/shm is too small or peer access is broken (NCCL_P2P_DISABLE=1)"
	awsHint    = "give AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in runtime_env.env_vars, or run with a role that may read the bucket"
	hubHint    = "set HF_TOKEN in runtime_env.env_vars; a gated model's licence has to be accepted on its page first"
)

func is(pattern string) *regexp.Regexp { return regexp.MustCompile(pattern) }

// causes are tried in order: the first that matches a line explains it.
var causes = []cause{
	// the command line
	{is(`error: unrecognized arguments: (--?[\w-]+)`), lifecycle.Invalid, "$1", "remove it from engine_kwargs; vllm serve --help=all lists what this version knows"},
	{is(`error: argument (--[\w-]+)\S*: `), lifecycle.Invalid, "$1", "give the option a value of the kind that the message names"},

	// the model's files
	{is(`Invalid repository ID or local directory specified: '([^']*)'`), lifecycle.MissingFile, "{dir}/config.json", "give the folder a config.json: a Hugging Face model has one next to its weights"},
	{is(`config file at '([^']*)' is not a valid JSON file`), lifecycle.Corrupt, "$1", "fetch the file again"},
	{is(`Couldn't instantiate the backend tokenizer|Can't load tokenizer for|Error retrieving tokenizer|Tokenizer class \S+ does not exist`), lifecycle.MissingFile, "{dir}/tokenizer.json", "add the model's tokenizer.json and tokenizer_config.json, or name another tokenizer in engine_kwargs.tokenizer"},
	{is(`Repo id must (?:be in the form|use alphanumeric).*?: '([^']*)'`), lifecycle.NotFound, "$1", "the folder does not exist: check the path"},
	{is(`Weight files referenced in index but missing: \{?'?([^',}]+)`), lifecycle.MissingFile, "$1", "fetch the missing weights: the model's index names them"},
	{is(`Cannot find any model weights with`), lifecycle.MissingFile, "{dir}", "put the model's *.safetensors files into the folder"},
	{is(`Error while deserializing header|SafetensorError|MetadataIncompleteBuffer|HeaderTooLarge|InvalidHeaderDeserialization`), lifecycle.Corrupt, "{dir}", "remove the file and fetch it again"},
	{is(`Following weights were not initialized from checkpoint|There is no module or parameter named`), lifecycle.Corrupt, "{dir}", "the weights are not those of the architecture in config.json: fetch both from one source"},

	// the model and this version
	{is(`Model architectures (\[[^\]]*\]) (?:are not supported|failed to be inspected)`), lifecycle.Invalid, "{dir}/config.json", "use a vLLM that supports the architecture, or a model of one that it does"},
	{is(`Cannot find model module\. '(\w+)'`), lifecycle.Invalid, "{dir}/config.json", "use a vLLM that supports the architecture, or a model of one that it does"},
	{is("model type `(\\w+)` but Transformers does not recognize"), lifecycle.Invalid, "{dir}/config.json", "update vLLM and transformers, or choose a model that they know"},
	{is(`contains custom code which must be executed|trust_remote_code=True`), lifecycle.Invalid, "engine_kwargs.trust_remote_code", "read the model's code, then set engine_kwargs.trust_remote_code: true"},
	{is(`max_model_len \((\d+)\) is greater than the derived max_model_len \((\w+)=([\d]+)`), lifecycle.Invalid, "engine_kwargs.max_model_len", "set max_model_len to $3 or less; VLLM_ALLOW_LONG_MAX_MODEL_LEN=1 in env_vars overrides, at the risk of noise"},
	{is(`attention heads \((\d+)\) must be divisible by tensor parallel size \((\d+)\)`), lifecycle.Invalid, "engine_kwargs.tensor_parallel_size", "choose a tensor_parallel_size that divides $1"},
	{is(`Unknown quantization method|[Qq]uantization method .* (?:not supported|does not match)|not a supported quantization`), lifecycle.Invalid, "engine_kwargs.quantization", "leave quantization out, so that config.json decides, or name a method that this version and device support"},
	{is(`Bfloat16 is only supported on GPUs|bfloat16 is not supported`), lifecycle.Invalid, "engine_kwargs.dtype", "set engine_kwargs.dtype: half"},
	{is(`[Hh]ead.?size \d* ?.*(?:not supported|unsupported)`), lifecycle.Invalid, "{dir}/config.json", "choose another attention_backend, or a model whose head size this device's kernels support"},

	// engine_kwargs
	{is("Load format `?([\\w.-]+)`? is not supported|Unknown load_format: (\\S+)"), lifecycle.Invalid, "engine_kwargs.load_format", "use auto, safetensors, runai_streamer or another format of this version"},
	{is(`Unexpected extra config keys for`), lifecycle.Invalid, "engine_kwargs.model_loader_extra_config", "remove the keys that this load_format does not know"},
	{is(`Model loader extra config is not supported`), lifecycle.Invalid, "engine_kwargs.model_loader_extra_config", "remove model_loader_extra_config: this load_format takes none"},
	{is(`Sleep mode is not supported`), lifecycle.Invalid, "engine_kwargs.enable_sleep_mode", "remove enable_sleep_mode: it needs a GPU"},
	{is(`Not enough allowed NUMA nodes`), lifecycle.Invalid, "VLLM_CPU_OMP_THREADS_BIND", "set VLLM_CPU_OMP_THREADS_BIND in env_vars to one core list per rank, separated by |"},
	{is(`World size \((\d+)\) is larger than the number of available GPUs|number of required GPUs exceeds`), lifecycle.NoCapacity, "engine_kwargs.tensor_parallel_size", "lower tensor_parallel_size and pipeline_parallel_size to the accelerators that are there"},

	// memory
	{is(`estimated maximum model length is (\d+)`), lifecycle.NoSpace, "engine_kwargs.max_model_len", "set max_model_len to $1 or less, or give the KV cache more: gpu_memory_utilization, or VLLM_CPU_KVCACHE_SPACE on a CPU"},
	{is(`max seq len \(\d+\).*(?:KV cache is needed|larger than the maximum number of tokens)`), lifecycle.NoSpace, "engine_kwargs.max_model_len", kvHint},
	{is(`No available memory for the cache blocks`), lifecycle.NoSpace, "KV cache", "raise gpu_memory_utilization (VLLM_CPU_KVCACHE_SPACE on a CPU): the weights leave nothing for the KV cache; or " + memoryHint},
	{is(`less than requested memory for kv`), lifecycle.NoSpace, "KV cache", "lower VLLM_CPU_KVCACHE_SPACE (GiB) in env_vars, or kv_cache_memory_bytes, to what the machine has free"},
	{is(`less than desired GPU memory utilization`), lifecycle.NoSpace, "engine_kwargs.gpu_memory_utilization", "other processes hold GPU memory (nvidia-smi names them): end them, or lower gpu_memory_utilization"},
	{is(`(?:CUDA|HIP|XPU) out of memory|torch\.OutOfMemoryError|cudaErrorMemoryAllocation`), lifecycle.NoSpace, "GPU memory", "lower engine_kwargs.gpu_memory_utilization if it runs out after the KV cache; else " + memoryHint},
	{is(`can't allocate memory|Cannot allocate memory|^MemoryError`), lifecycle.NoSpace, "memory", "lower VLLM_CPU_KVCACHE_SPACE, choose a smaller model, or a machine with more memory"},
	{is(`No space left on device.*shm|/dev/shm.*No space left`), lifecycle.NoSpace, "/dev/shm", shmHint},
	{is(`No space left on device`), lifecycle.NoSpace, "disk", "free disk space: vLLM keeps compiled code in VLLM_CACHE_ROOT and temporary files in TMPDIR"},
	{is(`Too many open files`), lifecycle.NoSpace, "open files", "raise the limit of open files (ulimit -n 65536)"},

	// the machine
	{is(`Address already in use`), lifecycle.Unavailable, "port", "another process listens there: end it, or let a free port be chosen"},
	{is(`NCCL error|nccl(?:UnhandledCuda|System|Internal|Remote)Error|ncclInvalid`), lifecycle.EngineFailed, "NCCL", ncclHint},
	{is(`Failed to infer device type|No CUDA GPUs are available|Found no NVIDIA driver|no CUDA-capable device|Device string must not be empty|UnspecifiedPlatform`), lifecycle.NoCapacity, "accelerator", "this vLLM is built for an accelerator that is not there: install vLLM for the CPU, or run where there is one"},
	{is(`NVIDIA driver on your system is too old|driver version is insufficient`), lifecycle.EngineFailed, "NVIDIA driver", "update the driver, or install a vLLM that is built for an older CUDA"},
	{is(`no kernel image is available`), lifecycle.EngineFailed, "accelerator", "this vLLM has no code for the GPU's architecture: install one that does"},
	{is(`invalid device ordinal`), lifecycle.NoCapacity, "CUDA_VISIBLE_DEVICES", "name only devices that are there; nvidia-smi lists them"},
	{is(`(lib[\w.+-]+\.so[\w.]*): cannot open shared object file`), lifecycle.EngineFailed, "$1", "install the system package that has $1 (libnuma.so.1: apt-get install libnuma1), or add its folder to LD_LIBRARY_PATH in env_vars"},
	{is(`No module named '(?:runai_model_streamer\S*)'|install vllm\[runai\]`), lifecycle.EngineFailed, "runai_model_streamer", "install it beside vLLM: pip install 'vllm[runai]'"},
	{is(`No module named 'vllm'`), lifecycle.Invalid, "vllm.Engine.Path", "the program's Python has no vLLM: give the vllm of the environment that it is installed in"},
	{is(`No module named '([\w.]+)'`), lifecycle.EngineFailed, "$1", "install the Python package that has $1 beside vLLM"},
	{is(`No package metadata was found for (\w+)`), lifecycle.EngineFailed, "$1", "the installation is not whole: install vLLM again"},
	{is(`InvalidCxxCompiler|No working C\+\+ compiler|Failed to find C compiler|'g\+\+'`), lifecycle.EngineFailed, "C++ compiler", "apt-get install g++, or set engine_kwargs.enforce_eager: true"},
	{is(`Timed out waiting for engine`), lifecycle.Timeout, "VLLM_ENGINE_READY_TIMEOUT_S", "raise VLLM_ENGINE_READY_TIMEOUT_S (seconds, 600) in env_vars"},

	// where models come from
	{is(`NoCredentialsError|Unable to locate credentials|PartialCredentialsError`), lifecycle.Unauthenticated, "S3", awsHint},
	{is(`MISSING_ETAG|File access error`), lifecycle.Unavailable, "S3", "the streamer demands an ETag in every answer: upload the objects through S3; RUNAI_STREAMER_LOG_TO_STDERR=1 RUNAI_STREAMER_LOG_LEVEL=DEBUG tells more"},
	{is(`InvalidAccessKeyId|SignatureDoesNotMatch|ExpiredToken`), lifecycle.Unauthenticated, "S3", awsHint},
	{is(`\((?:403|AccessDenied)\).*operation|AccessDenied`), lifecycle.AccessDenied, "S3", "grant s3:GetObject on the objects and s3:ListBucket on the bucket"},
	{is(`NoSuchBucket|NoSuchKey|\(404\).*operation`), lifecycle.NotFound, "S3", "check bucket and prefix: s3://bucket/folder-of-the-model"},
	{is(`GatedRepoError|gated repo|Access to model \S+ is restricted`), lifecycle.Gated, "", hubHint},
	{is(`401 Client Error|Invalid user token`), lifecycle.Unauthenticated, "", hubHint},
	{is(`RepositoryNotFoundError|is not a valid model identifier|404 Client Error`), lifecycle.NotFound, "", "check the repository's name (org/name) and, if it is private, HF_TOKEN"},
	{is(`RevisionNotFoundError`), lifecycle.NotFound, "engine_kwargs.revision", "name a branch, tag or commit that the repository has"},
	{is(`LocalEntryNotFoundError|outgoing traffic has been disabled|OfflineModeIsEnabled`), lifecycle.Unavailable, "", "the file is not in the local cache and the hub may not be asked: fetch it first, or remove HF_HUB_OFFLINE from env_vars"},
}
