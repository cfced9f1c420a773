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
// itself: it has no option for weights that lie elsewhere. From a bucket it then inherits
// AWS_* and RUNAI_STREAMER_* (or Google's) of the process; what only one of its clients would
// know, such as the endpoint, is said to all of them. With a Store it is told of that alone.
//
// # Adapters
//
// [Engine] is an [engine.AdapterLoader]. With Adapters in the Spec vLLM is started with
// enable_lora, max_loras of that many, and VLLM_ALLOW_RUNTIME_LORA_UPDATING, whose endpoints
// only who reaches the engine's own port can use.
//
// # Preload
//
// Nearly all of a small model's start is Python importing vLLM, three times over. So where it
// is safe, [Engine.Preload] imports while files still arrive, and the process becomes the
// server when it is told the model. On Linux with a vLLM for the CPU, engine core and workers
// are forks of it, so nothing is imported twice. On an accelerator they are spawned, as
// `vllm serve` does by itself: vLLM refuses to fork once a device is initialised, and nothing
// here can promise that none of its imports does that; one of the three imports is hidden
// then. The message of the stage preload says which. A vLLM whose internals are not known
// ([Engine.Preload] names the versions), another system, or an environment that a hook has
// changed where imports read it, means a start as by hand, and the event of a skipped preload
// says why. So does what the launcher does not find as expected. [Engine.Plain] switches all
// of it off.
//
// What spares the next start work stays where vLLM keeps it: descriptions of architectures in
// modelinfos below VLLM_CACHE_ROOT, by default ~/.cache/vllm, as HOME is inherited; without
// one vLLM imports itself once more. A compilation_config.cache_dir moves it along, see below.
// Python keeps its bytecode beside the sources: PYTHONDONTWRITEBYTECODE is not inherited. An
// installation that cannot be written to has to bring its bytecode (python -m compileall).
//
// # Sleep and snapshots
//
// With Spec.Sleeps an engine gives its GPUs' memory back when it is told to and takes it again;
// [Engine.Snapshot] restores one from a dump of its memory and GPU (CRIU and cuda-checkpoint)
// instead of loading. Both are vLLM's own; both are refused on a CPU. Neither was run with a
// GPU: what is tested are commands, checks, and the restorer with a program that pretends.
//
// # On the CPU
//
// Without accelerators in the Spec a replica is bound to its cores, and gets a KV cache for
// four requests of the longest length, of at least 256 MiB and at most a quarter of the
// machine's memory. VLLM_CPU_OMP_THREADS_BIND in env_vars overrides the one;
// kv_cache_memory_bytes or VLLM_CPU_KVCACHE_SPACE (GiB) the other. A
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
