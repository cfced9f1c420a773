// Package sglang runs SGLang: its command line from engine_kwargs, checks of a model's files
// before Python starts, stages from its log, and the true cause of its failures.
//
//	p, err := engine.Start(ctx, sglang.Engine{}, engine.Spec{
//		ModelID: "my-llm",
//		Dir:     "/models/my-llm",
//		Kwargs:  map[string]any{"context_length": 8192, "mem_fraction_static": 0.85},
//	}, nil)
//
// The program is found through [Engine], then the environment variable SPINUP_SGLANG, then
// PATH, where it is called sglang. What engine_kwargs may hold is read from the sources of
// that installation; where they cannot be found, names go unchecked and the first event of
// a start says so. A kwarg is written as SGLang's option of that name wants it: true as --x,
// false as --no-x where there is such an option and else as nothing, lists as several
// values, maps as JSON; nil is left out.
//
// Set by this package, so not allowed in engine_kwargs: the model's path and name, host,
// port, and what would make the server unreachable for its host. tensor_parallel_size and
// pipeline_parallel_size have their long names, as the host counts accelerators by them.
//
// # Stages
//
// Beside the standard stages there are [StageStartWorkers] (scheduler and detokenizer import
// SGLang and meet), [StageStartServer] and [StageServerWarmup] (SGLang's own first request).
//
// # Health
//
// SGLang's /health makes a token each time, which takes a second. Here it only tells whether
// the server has warmed up (SGLANG_ENABLE_HEALTH_ENDPOINT_GENERATION=false, which env_vars
// override); the scheduler and the detokenizer are watched as processes instead, as SGLang
// takes five seconds to end when one of them dies.
//
// # On the CPU
//
// Without accelerators in the Spec, SGLang runs with its CPU engine (SGLANG_USE_CPU_ENGINE,
// --device cpu), which needs kernels that are built for the CPU; see internal/setup/sglang.sh.
//
// # Errors
//
// Check returns a [*lifecycle.Error], or several, joined: Invalid for what the configuration
// has to change, those of [source.CheckModel] for the model's files, NotFound for the
// program. Failures of a running engine carry the first cause that its output tells, with
// the kind of that cause.
package sglang
