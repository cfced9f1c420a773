// Package llamacpp runs llama-server of llama.cpp: its command line from engine_kwargs, the
// choice of a file among the quantisations of a model, checks of GGUF headers before the
// process starts, stages from its log, and the true cause of its failures.
//
//	p, err := engine.Start(ctx, llamacpp.Engine{}, engine.Spec{
//		ModelID: "my-llm",
//		Dir:     "/models/my-llm-GGUF",
//		Kwargs:  map[string]any{"model_file": "*Q4_K_M*", "ctx_size": 8192},
//	}, nil)
//
// The program is found through [Engine], then the environment variable SPINUP_LLAMA_SERVER,
// then PATH, where it is called llama-server.
//
// # Options
//
// A kwarg is written as the long option of that name: ctx_size: 8192 is --ctx-size 8192,
// mmap: false is --no-mmap, lists are joined by commas, maps are JSON, nil is left out. The
// names are those of llama.cpp's build 10434 (options.txt); one that only another build
// has can be set as that build's environment variable, LLAMA_ARG_…, in env_vars.
// tensor_parallel_size is how many accelerators a replica gets; llama-server divides the
// model among those that it sees.
//
// Set by this package, so not allowed in engine_kwargs: host, port, alias, metrics, and what
// would fetch another model or make the server unreachable for its host.
//
// # The model
//
// A model is one GGUF file, or all of NAME-00001-of-0000N.gguf. Where a folder, bucket or
// repository has several, the kwarg model_file chooses: a name, or a pattern such as "*Q4_K_M*"
// that only one of them matches. Nothing else is fetched but what mmproj, model_draft, lora,
// control_vector, chat_template_file and grammar_file name, whose paths begin at the model's folder.
//
// # Stages
//
// Beside the standard stages there are [StageEmptyRun] (llama.cpp's own warm-up) and
// [StageStartServer]. Weights that are mapped are read as they are used, mostly in the empty
// run. Nothing tells how far the loading is: for weights that take longer than the limit on
// time without progress, raise it.
//
// # Errors
//
// Check returns a [*lifecycle.Error], or several, joined: Invalid for what the configuration
// has to change, MissingFile and Corrupt for the model's files, NoSpace for memory, NotFound
// for the program. Failures of a running engine carry the first cause that its output tells,
// with the kind of that cause.
package llamacpp
