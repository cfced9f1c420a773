// Package vllm runs vLLM: its command line from engine_kwargs, a complete environment,
// checks of a model's files before Python starts, stages from its log, and the true cause
// of its failures.
//
//	p, err := engine.Start(ctx, vllm.Engine{}, engine.Spec{
//		ModelID: "my-llm",
//		Dir:     "/models/my-llm",
//		Kwargs:  map[string]any{"max_model_len": 8192, "enforce_eager": true},
//	}, nil)
//
// The program is found through [Engine], then the environment variable SPINUP_VLLM, then
// PATH. What engine_kwargs may hold is read from the sources of that installation, in
// milliseconds; where they cannot be found, names go unchecked and the first event of a
// start says so. A kwarg is written as vLLM's own option of that name wants it: booleans
// as --x and --no-x, lists as several values, maps as JSON; nil is left out.
//
// Set by this package, so not allowed in engine_kwargs: model, served_model_name, host,
// port and what would make the server unreachable for its host. A hf_token given as a kwarg
// travels in the environment, as arguments can be read by every user of a machine.
//
// # Stages
//
// Beside the standard stages there are start_workers (engine core and workers import vLLM
// and meet) and start_server (until the port is open). [ReadLog] makes the same timeline of
// a recorded log, also of one that Ray wrote.
//
// # Streaming
//
// With Weights in the Spec vLLM is given their URI alone, and reads the small files once more
// itself: it has no option for weights that lie elsewhere. It then inherits AWS_* and
// RUNAI_STREAMER_* (or Google's) of the process; what only one of its clients would know,
// such as the endpoint, is said to all of them.
//
// # On the CPU
//
// Without accelerators in the Spec a replica is bound to its cores, and gets a KV cache for
// four requests of the longest length, at most a quarter of the machine's memory; see
// VLLM_CPU_OMP_THREADS_BIND and VLLM_CPU_KVCACHE_SPACE, which env_vars override. A
// cache_dir of compilation_config, which vLLM does not use there, becomes VLLM_CACHE_ROOT.
//
// # Errors
//
// Check joins a [*lifecycle.Error] per problem: Invalid for what the configuration has to
// change, MissingFile and Corrupt for the model's files, NoSpace for memory, Unavailable
// for a taken port, NotFound for the program and for Python packages. Failures of a running
// engine carry the first cause that its output tells, see [lifecycle.EngineFailed], with
// the kind of that cause.
package vllm
